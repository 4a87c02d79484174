/** Who may what, as far as the page shows or hides it; the server judges. */
import type { Me } from '../api/types';

export function isAdmin(me: Me): boolean {
  return me.role === 'admin' || me.role === 'owner';
}

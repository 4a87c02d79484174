import { lazy } from 'react';
import { words } from '../../text/english';
import { isAdmin } from '../roles';
import type { Section } from '../sections';

export const section: Section = {
  id: 'hooks',
  title: words.hooks.title,
  icon: 'send',
  place: 47,
  shown: isAdmin,
  panel: lazy(() => import('../Hooks').then((module) => ({ default: module.Hooks }))),
};

import { lazy } from 'react';
import { words } from '../../text/english';
import { isAdmin } from '../roles';
import type { Section } from '../sections';

export const section: Section = {
  id: 'people',
  title: words.people.title,
  icon: 'people',
  place: 50,
  shown: (me) => me.signs_in && isAdmin(me),
  panel: lazy(() => import('../People').then((module) => ({ default: module.People }))),
};

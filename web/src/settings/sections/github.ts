import { lazy } from 'react';
import { words } from '../../text/english';
import { isAdmin } from '../roles';
import type { Section } from '../sections';

export const section: Section = {
  id: 'github',
  title: words.github.title,
  icon: 'branch',
  place: 45,
  shown: isAdmin,
  panel: lazy(() => import('../GitHub').then((module) => ({ default: module.GitHub }))),
};

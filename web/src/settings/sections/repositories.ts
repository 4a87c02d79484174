import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'repositories',
  title: words.repositories.title,
  icon: 'branch',
  place: 30,
  panel: lazy(() => import('../Repositories').then((module) => ({ default: module.Repositories }))),
};

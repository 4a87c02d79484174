import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'budgets',
  title: words.budgets.title,
  icon: 'coins',
  place: 40,
  panel: lazy(() => import('../Budgets').then((module) => ({ default: module.Budgets }))),
};

import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'guards',
  title: words.policy.title,
  icon: 'alert',
  place: 42,
  panel: lazy(() => import('../Guards').then((module) => ({ default: module.Guards }))),
};

import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'sandboxes',
  title: words.sandboxes.title,
  icon: 'box',
  place: 55,
  panel: lazy(() => import('../Sandboxes').then((module) => ({ default: module.Sandboxes }))),
};

import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'queue',
  title: words.line.title,
  icon: 'clock',
  place: 50,
  panel: lazy(() => import('../Queue').then((module) => ({ default: module.Queue }))),
};

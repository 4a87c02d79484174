import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'models',
  title: words.keyring.title,
  icon: 'think',
  place: 10,
  panel: lazy(() => import('../Models').then((module) => ({ default: module.Models }))),
};

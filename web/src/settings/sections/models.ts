import { lazy } from 'react';
import { words } from '../../text/english';
import { isAdmin } from '../roles';
import type { Section } from '../sections';

export const section: Section = {
  id: 'models',
  title: words.keyring.title,
  icon: 'think',
  place: 10,
  shown: isAdmin,
  panel: lazy(() => import('../Models').then((module) => ({ default: module.Models }))),
};

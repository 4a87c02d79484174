import { lazy } from 'react';
import { words } from '../../text/english';
import { isAdmin } from '../roles';
import type { Section } from '../sections';

export const section: Section = {
  id: 'audit',
  title: words.audit.title,
  icon: 'list',
  place: 90,
  shown: isAdmin,
  panel: lazy(() => import('../Audit').then((module) => ({ default: module.Audit }))),
};

import { lazy } from 'react';
import { automationWords } from '../../text/automations';
import type { Section } from '../sections';

export const section: Section = {
  id: 'automations',
  title: automationWords.title,
  icon: 'rewind',
  place: 47,
  panel: lazy(() => import('../Automations').then((module) => ({ default: module.Automations }))),
};

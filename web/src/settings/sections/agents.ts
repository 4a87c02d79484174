import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'agents',
  title: words.agents.title,
  icon: 'execute',
  place: 20,
  panel: lazy(() => import('../Agents').then((module) => ({ default: module.Agents }))),
};

import { lazy } from 'react';
import { words } from '../../text/english';
import type { Section } from '../sections';

export const section: Section = {
  id: 'you',
  title: words.account.title,
  icon: 'person',
  place: 60,
  shown: (me) => me.signs_in,
  panel: lazy(() => import('../Account').then((module) => ({ default: module.Account }))),
};

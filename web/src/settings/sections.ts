/**
 * The sections of the settings, each with an address of its own (`/settings/audit`). A new one is a file in sections/ that says
 * what it is called and where its panel is, and that panel; nothing else has to know of it.
 */
import type { ComponentType, LazyExoticComponent } from 'react';
import type { Me } from '../api/types';
import type { IconName } from '../ui/icons';

export interface Section {
  /** As it is in the address. */
  id: string;
  title: string;
  icon: IconName;
  /** Smaller ones are further up. */
  place: number;
  /** For whom it is; everybody, if it does not say. */
  shown?: (me: Me) => boolean;
  /** Loaded when it is first gone to. */
  panel: LazyExoticComponent<ComponentType>;
}

const FILES = import.meta.glob<{ section: Section }>('./sections/*.ts', { eager: true });

export const SECTIONS: readonly Section[] = Object.values(FILES)
  .map(({ section }) => section)
  .sort((a, b) => a.place - b.place);

/** Menus on Radix. Not modal: a modal one locks scrolling with an inline style sheet, which our policy refuses. */
import { DropdownMenu } from 'radix-ui';
import type { ReactNode } from 'react';
import { Icon } from './icons';

const ITEM =
  'flex cursor-pointer items-center gap-2 rounded-md px-2 py-1.5 text-[0.8125rem] outline-none select-none data-[highlighted]:bg-hover data-[disabled]:pointer-events-none data-[disabled]:opacity-45';

export function Menu({ trigger, children }: { trigger: ReactNode; children: ReactNode }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-h-[min(24rem,70vh)] min-w-48 max-w-[min(24rem,92vw)] overflow-y-auto rounded-xl border border-line-strong bg-raised p-1 shadow-lg shadow-black/10"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export function MenuItem({
  onSelect,
  disabled = false,
  children,
}: {
  onSelect: () => void;
  disabled?: boolean;
  children: ReactNode;
}) {
  return (
    <DropdownMenu.Item className={ITEM} disabled={disabled} onSelect={onSelect}>
      {children}
    </DropdownMenu.Item>
  );
}

export interface Choice {
  value: string;
  label: string;
  detail?: string;
  /** Below both. */
  note?: string | undefined;
}

export function MenuChoices({
  value,
  choices,
  onChoose,
}: {
  value: string | null;
  choices: Choice[];
  onChoose: (value: string) => void;
}) {
  return (
    <DropdownMenu.RadioGroup value={value ?? ''} onValueChange={onChoose}>
      {choices.map((choice) => (
        <DropdownMenu.RadioItem key={choice.value} value={choice.value} className={ITEM}>
          <span className="w-4">
            <DropdownMenu.ItemIndicator>
              <Icon name="check" className="text-lamp" />
            </DropdownMenu.ItemIndicator>
          </span>
          <span className="min-w-0">
            <span className="block truncate">{choice.label}</span>
            {choice.detail && choice.detail !== choice.label ? (
              <span className="block truncate font-mono text-2xs text-faint">{choice.detail}</span>
            ) : null}
            {choice.note ? <span className="block truncate text-2xs text-soft">{choice.note}</span> : null}
          </span>
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

/** Buttons: one look for each weight. */
import type { ButtonHTMLAttributes } from 'react';

const LOOK = {
  primary: 'bg-lamp-fill text-on-lamp hover:brightness-110 font-medium',
  outline: 'border border-line-strong bg-raised text-ink hover:bg-hover',
  quiet: 'text-soft hover:bg-hover hover:text-ink',
  danger: 'border border-bad/45 bg-raised text-bad hover:bg-bad-tint',
} as const;

const SIZE = {
  normal: 'h-8 px-3 gap-1.5 rounded-lg',
  small: 'h-7 px-2 gap-1 rounded-md text-[0.8125rem]',
  icon: 'size-8 rounded-lg',
} as const;

export interface ButtonLook {
  look?: keyof typeof LOOK;
  size?: keyof typeof SIZE;
}

export function buttonClass({ look = 'outline', size = 'normal' }: ButtonLook): string {
  return `inline-flex items-center justify-center whitespace-nowrap transition-colors select-none disabled:opacity-45 disabled:pointer-events-none ${LOOK[look]} ${SIZE[size]}`;
}

export function Button({
  look = 'outline',
  size = 'normal',
  className = '',
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & ButtonLook) {
  return <button type="button" {...rest} className={`${buttonClass({ look, size })} ${className}`} />;
}

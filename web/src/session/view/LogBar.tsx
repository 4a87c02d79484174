/** What helps to find one's way in a long log: words, kinds, turns, times. */
import { type KeyboardEvent, type RefObject, useEffect } from 'react';
import { words } from '../../text/english';
import { oneLine, visible } from '../../text/visible';
import { Button } from '../../ui/button';
import { Icon } from '../../ui/icons';
import { Menu, MenuChoices } from '../../ui/menu';
import { FILTERS, type Filter } from '../find';
import { useFacts, useSession } from './context';
import type { Find } from './useFind';

/** More turns than this are in no menu; the others are reached by scrolling or by finding. */
const TURNS_SHOWN = 200;

interface LogBarProps {
  find: Find;
  finding: boolean;
  setFinding: (finding: boolean) => void;
  box: RefObject<HTMLInputElement | null>;
  filter: Filter;
  setFilter: (filter: Filter) => void;
  /** The turn at the top of what is shown; 0 before the first. */
  turn: number;
  goToTurn: (turn: number) => void;
  timed: boolean;
  setTimed: (timed: boolean) => void;
}

const quiet =
  'flex h-7 items-center gap-1 rounded-md px-1.5 text-2xs whitespace-nowrap text-soft hover:bg-hover hover:text-ink';

export function LogBar(props: LogBarProps) {
  const { filter, setFilter, finding, setFinding, timed, setTimed } = props;
  return (
    <div role="toolbar" aria-label={words.log.tools} className="border-b border-line bg-ground">
      <div className="mx-auto flex h-8 max-w-[52rem] items-center gap-1 px-2 sm:px-5">
        <div className={`items-center gap-1 ${finding ? 'hidden sm:flex' : 'flex'}`}>
          <Turns turn={props.turn} goToTurn={props.goToTurn} />
          <Menu
            trigger={
              <button
                type="button"
                aria-label={`${words.log.filter}: ${words.log.filters[filter]}`}
                className={`${quiet} ${filter === 'all' ? '' : 'text-lamp!'}`}
              >
                {words.log.filters[filter]}
                <Icon name="chevron" className="size-3 rotate-90" />
              </button>
            }
          >
            <MenuChoices
              value={filter}
              choices={FILTERS.map((value) => ({ value, label: words.log.filters[value] }))}
              onChoose={(value) => setFilter(value as Filter)}
            />
          </Menu>
        </div>
        <span className={finding ? 'hidden grow sm:block' : 'grow'} />
        {finding ? (
          <FindBox {...props} />
        ) : (
          <button
            type="button"
            className={quiet}
            aria-label={words.log.find}
            title={`${words.log.find} (/)`}
            onClick={() => setFinding(true)}
          >
            <Icon name="search" className="size-3.5" /> <kbd className="max-sm:hidden">/</kbd>
          </button>
        )}
        <button
          type="button"
          className={`${quiet} ${timed ? 'text-lamp!' : ''}`}
          aria-label={words.log.times}
          title={words.log.times}
          aria-pressed={timed}
          onClick={() => setTimed(!timed)}
        >
          <Icon name="clock" className="size-3.5" />
        </button>
      </div>
    </div>
  );
}

function FindBox({ find, setFinding, box }: LogBarProps) {
  const older = useSession((state) => state.older);
  useEffect(() => box.current?.focus(), [box]);
  const close = () => {
    find.setQuery('');
    setFinding(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') find.step(event.shiftKey ? 1 : -1);
    else if (event.key === 'Escape') close();
    else return;
    event.preventDefault();
  };
  const asked = find.query.trim() !== '';
  const reading = asked && (older === 'more' || older === 'loading');
  return (
    <search className="flex min-w-0 items-center gap-0.5 max-sm:flex-1 sm:w-[30rem]">
      <input
        ref={box}
        value={find.query}
        onChange={(event) => find.setQuery(event.target.value)}
        onKeyDown={onKeyDown}
        aria-label={words.log.find}
        placeholder={words.log.findPlaceholder}
        spellCheck={false}
        autoComplete="off"
        className="h-7 min-w-0 flex-1 rounded-md border border-line-strong bg-raised px-2 text-[0.8125rem] placeholder:text-faint"
      />
      <span role="status" className="px-1 text-2xs whitespace-nowrap text-faint tabular-nums">
        {!asked
          ? ''
          : find.matches.length > 0
            ? words.log.matches(find.current + 1, find.matches.length)
            : reading
              ? ''
              : words.log.noMatches}
        {reading ? <span className="max-sm:sr-only"> {words.log.stillLooking}</span> : null}
      </span>
      <Step label={words.log.earlierMatch} turned="-rotate-90" onClick={() => find.step(-1)} find={find} />
      <Step label={words.log.laterMatch} turned="rotate-90" onClick={() => find.step(1)} find={find} />
      <Button look="quiet" size="small" className="px-1!" aria-label={words.log.closeFind} onClick={close}>
        <Icon name="cross" className="size-3.5" />
      </Button>
    </search>
  );
}

function Step({ label, turned, onClick, find }: { label: string; turned: string; onClick: () => void; find: Find }) {
  return (
    <Button
      look="quiet"
      size="small"
      className="px-1!"
      aria-label={label}
      title={label}
      disabled={find.matches.length === 0}
      onClick={onClick}
    >
      <Icon name="chevron" className={`size-3.5 ${turned}`} />
    </Button>
  );
}

function Turns({ turn, goToTurn }: Pick<LogBarProps, 'turn' | 'goToTurn'>) {
  const last = useFacts()?.turn ?? 0;
  if (last === 0) return null;
  return (
    <Menu
      trigger={
        <button type="button" className={quiet} title={words.log.turnsTitle}>
          <span className="tabular-nums">{turn === 0 ? words.log.noTurn : words.log.turnOf(turn, last)}</span>
          <Icon name="chevron" className="size-3 rotate-90" />
        </button>
      }
    >
      <TurnChoices turn={turn} last={last} goToTurn={goToTurn} />
    </Menu>
  );
}

/** Made only while the menu is open. */
function TurnChoices({ turn, last, goToTurn }: { turn: number; last: number; goToTurn: (turn: number) => void }) {
  const turns = useSession((state) => state.timeline.turns);
  const items = useSession((state) => state.timeline.items);
  const promptOf = (number: number): string => {
    const begun = turns.get(number);
    const item = begun ? items[begun.place] : undefined;
    return item?.kind === 'prompt' ? oneLine((item.text ?? '').slice(0, 80)) : '';
  };
  const numbers = Array.from({ length: Math.min(last, TURNS_SHOWN) }, (_, back) => last - back);
  return (
    <MenuChoices
      value={String(turn)}
      choices={numbers.map((number) => ({
        value: String(number),
        label: words.log.turn(number),
        detail: visible(promptOf(number)),
      }))}
      onChoose={(value) => goToTurn(Number(value))}
    />
  );
}

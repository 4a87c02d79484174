/** The queue of the dev double: nobody ever waits. */

/** Of an installation without a bound. */
export const PLACES = {
  sandboxes: 0,
  max_sandboxes: null,
  max_sandboxes_per_person: 3,
  memory_bytes: 0,
  max_memory_bytes: null,
};

/** How a session stands there. */
export const NOT_WAITING = { priority: 0, queue_position: null, estimated_wait_seconds: null };

/** What a session shows that has nobody beside, above or below it. */
export const ALONE = { attempts: null, family: { parents: [], children: [], children_cost_micros: 0 } };

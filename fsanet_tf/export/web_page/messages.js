/** Questions to a worker and its answers: `{id, kind, …}` is answered by `{id, result}` or `{id, error}`. */

/** The asking side: one worker and the questions that it has not answered yet. */
export class Asker {
  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (reason: Error) => void}>} */
    this.pending = new Map();
    this.lastId = 0;
    worker.onmessage = ({ data: { id, result, error } }) => {
      const request = this.pending.get(id);
      this.pending.delete(id);
      if (error !== undefined) request?.reject(new Error(error));
      else request?.resolve(result);
    };
    worker.onerror = (event) => {
      const error = new Error(event.message || "a worker or the runtime could not be loaded");
      this.pending.forEach(({ reject }) => reject(error));
      this.pending.clear();
    };
  }

  /**
   * @param {Record<string, any>} message
   * @param {Transferable[]} [transfer]
   * @returns {Promise<any>}
   */
  ask(message, transfer = []) {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...message }, transfer);
    });
  }

  /** End the worker, and those that it has started. */
  end() {
    this.worker.terminate();
  }
}

/**
 * The answering side, in the worker: one message after the other, so that no network is released while it runs.
 * @param {Record<string, (message: any) => any>} handlers by kind
 */
export function answerMessages(handlers) {
  /** @param {any} data a message */
  const answer = async ({ id, kind, ...message }) => {
    try {
      const result = await handlers[kind](message);
      self.postMessage({ id, result });
    } catch (error) {
      self.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
    }
  };
  let work = Promise.resolve();
  self.onmessage = ({ data }) => {
    work = work.then(() => answer(data));
  };
}

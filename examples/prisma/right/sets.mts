/** Numbers that belong together, directly or through others. */
export class Sets {
  readonly #above = new Map<number, number>();

  join(numbers: number[]): void {
    const [first, ...others] = numbers.map((n) => this.#top(n));
    others.forEach((top) => top !== first && first !== undefined && this.#above.set(top, first));
  }

  all(): number[][] {
    const found = new Map<number, number[]>();
    for (const n of this.#above.keys()) {
      const top = this.#top(n);
      found.set(top, [...(found.get(top) ?? []), n]);
    }
    return [...found.values()];
  }

  #top(n: number): number {
    const above = this.#above.get(n) ?? n;
    const top = above === n ? n : this.#top(above);
    this.#above.set(n, top);
    return top;
  }
}

/**
 * A world that goes forward: it keeps no hash, since nobody asks whether it has been here before. For the shell, and
 * for plays beside a kernel.
 */
import { FastStore } from './fast_store.js'

export class UnhashedStore extends FastStore {
  protected override toggle_field(): void {}
  protected override toggle_row(): void {}
  protected override untoggle_field(): void {}
  protected override untoggle_row(): void {}
  protected override salt_row(): void {}
  protected override salt_frame(): void {}
}

package syncer

import (
	"context"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// stoppedAt says what a cancelled run had done when it stopped: what was applied stays.
func (w *worker) stoppedAt(ctx context.Context) {
	w.mu.Lock()
	phase, applied := w.progress.Phase, w.progress.Applied
	w.mu.Unlock()
	text := "stopped before it began: nothing was applied"
	if phase != "" {
		text = fmt.Sprintf("stopped in the phase %s: nothing was applied", phase)
	}
	_, states, err := w.cfg.Store.ActionCounts(ctx, w.run.ID)
	if err != nil {
		w.log.Warn("count what a cancelled run did", "error", err)
		return
	}
	if left := states[roster.ActionPlanned] + states[roster.ActionApproved]; applied > 0 {
		text = fmt.Sprintf("stopped in the phase %s: %d of %d actions were applied and stay", phase, applied, applied+left)
	}
	w.run.Note = strings.Trim(w.run.Note+"; "+text, "; ")
}

package syncer_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
)

// Invariant 3: pushes are never refused by a guard; when they alone cross a limit, that is said.
func TestPushesThatAloneCrossALimitAreWarnedOfOnce(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		var log bytes.Buffer
		w.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		s := w.another("watcher")
		var changes []roster.Change
		for i := range 20 {
			changes = append(changes, roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("p%d@x.y", i)}, Active: true})
		}
		outs := w.commit(w.push(), changes...)
		for i, n := range []int{5, 6, 7} {
			var off []roster.Change
			for _, o := range outs[:n] {
				off = append(off, roster.MemberEdit{ID: o.ID, Edit: func(roster.Member) (roster.Attributes, *bool, error) { no := false; return nil, &no, nil }})
			}
			w.commit(w.push(), off...)
			if err := s.WatchPushes(context.Background()); err != nil {
				w.t.Fatal(err)
			}
			if got, want := strings.Count(log.String(), "pushes alone"), min(i, 1); got != want {
				w.t.Errorf("after %d deactivations by push: %d warnings, want %d", n, got, want)
			}
		}
	})
}

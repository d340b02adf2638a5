package syncer_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// Who cancels a run doesn't wait until the IdP may be asked again.
func TestARunThatWaitsForTheIdPIsCancelledAtOnce(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.cfg.Lease = 100 * time.Millisecond // cancelling is noticed with each renewal
		w.syncer = w.another("test")
		throttled, once := make(chan struct{}), sync.Once{}
		w.tenant.Inject(idpsim.Fault{Path: "/groups/*/members", BeforeRead: func() { once.Do(func() { close(throttled) }) }})
		w.tenant.Inject(idpsim.Fault{Path: "/groups/*/members", Status: http.StatusTooManyRequests, RetryAfter: "240"})
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.syncer.WorkOne(context.Background())
		}()
		late := time.After(20 * time.Second)
		select {
		case <-throttled:
		case <-late:
			w.t.Fatal("the IdP was not asked")
		}
		w.commit(operator(), roster.RunCancel{ID: id, By: "op"})
		select {
		case <-ended:
		case <-late:
			w.t.Fatal("the run waits on")
		}
		run, actions := w.show(id)
		if run.State != roster.RunCancelled || run.Error != "cancelled by op" || len(actions) != 0 ||
			!strings.Contains(run.Note, "stopped in the phase pull: nothing was applied") {
			w.t.Errorf("ended %s (%s; %s) with %d actions", run.State, run.Error, run.Note, len(actions))
		}
		w.tenant.ClearFaults()
	})
}

// What was applied before a run was cancelled stays, and is told.
func TestACancelledRunSaysWhatWasDone(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.cfg.Lease, w.cfg.Batch = 100*time.Millisecond, 5
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		w.inCommit(3, func(ctx context.Context) {
			w.commit(operator(), roster.RunCancel{ID: id, By: "op"})
			<-ctx.Done() // the renewal has seen it
		})
		run, _ := w.work(id)
		if run.State != roster.RunCancelled || run.Applied == 0 || run.Compared == 0 || !strings.Contains(run.Note, "stopped in the phase apply") ||
			!strings.Contains(run.Note, "actions were applied and stay") {
			w.t.Errorf("ended %s: %d applied, %d compared; %s", run.State, run.Applied, run.Compared, run.Note)
		}
		if n := len(w.members()); n == 0 || n >= 30 {
			w.t.Errorf("%d members were made", n)
		}
		w.cfg.Lease = time.Minute
		w.syncer = w.another("undisturbed")
		w.run(roster.ModeFull)
		w.converged()
	})
}

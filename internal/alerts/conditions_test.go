package alerts_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

const day = 24 * time.Hour

// kinds are what a look finds, in order.
func (f *fixture) kinds() string {
	f.Helper()
	f.ok(f.replica().Look(context.Background()))
	var out []string
	for _, a := range f.open(f.org) {
		out = append(out, string(a.Kind))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestRunsThatFailAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		runs []func(*roster.Run)
		want string
	}{
		"one":                           {[]func(*roster.Run){failed("unreachable")}, ""},
		"two":                           {[]func(*roster.Run){failed("unreachable"), failed("throttled")}, "run_failing"},
		"one after it worked":           {[]func(*roster.Run){failed("unreachable"), ended(roster.RunDone), failed("")}, ""},
		"one for bad credentials":       {[]func(*roster.Run){failed("bad_credentials")}, "run_failing"},
		"one for a missing permission":  {[]func(*roster.Run){ended(roster.RunDone), failed("missing_permission")}, "run_failing"},
		"one that was cancelled":        {[]func(*roster.Run){failed(""), ended(roster.RunCancelled), failed("")}, "run_failing"},
		"two that were not complete":    {[]func(*roster.Run){ended(roster.RunPartial), ended(roster.RunPartial)}, ""},
		"three that were not complete":  {[]func(*roster.Run){ended(roster.RunPartial), ended(roster.RunPartial), ended(roster.RunPartial)}, "pull_partial"},
		"one of three that was":         {[]func(*roster.Run){ended(roster.RunPartial), ended(roster.RunDone), ended(roster.RunPartial)}, ""},
		"three, and then one that was":  {[]func(*roster.Run){ended(roster.RunPartial), ended(roster.RunPartial), ended(roster.RunPartial), ended(roster.RunDone)}, ""},
		"two that failed, then partial": {[]func(*roster.Run){failed(""), failed(""), ended(roster.RunPartial)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(f *fixture) {
				for _, end := range tc.runs {
					f.ran(f.org, f.conn, end)
				}
				if got := f.kinds(); got != tc.want {
					t.Errorf("found %q, want %q", got, tc.want)
				}
			})
		})
	}
}

func TestAScheduleThatNobodyKeepsIsTold(t *testing.T) {
	each(t, func(f *fixture) {
		f.ahead = 170 * time.Minute // due every hour: the first time in an hour
		if got := f.kinds(); got != "" {
			t.Errorf("before two more were due: %q", got)
		}
		f.ahead = 3*time.Hour + time.Minute
		if got := f.kinds(); got != "run_overdue" {
			t.Errorf("after two more were due: %q", got)
		}
		f.commit(f.org, roster.Cause{By: roster.ByOperator}, roster.ConnectionPause{ID: f.conn, Reason: "works"})
		if got := f.kinds(); got != "" {
			t.Errorf("while it is paused: %q", got)
		}
	})
}

func TestTokensAreToldStepByStep(t *testing.T) {
	each(t, func(f *fixture) {
		id, _, hash := roster.MintToken()
		f.commit(f.org, roster.Cause{}, roster.TokenCreate{Token: roster.Token{ID: id, Name: "Entra ID", Hash: hash, ExpiresAt: f.now().Add(40 * day)}})
		f.detach()
		for _, step := range []struct {
			wait time.Duration
			want string
		}{
			{0, ""}, {11 * day, "opened token_expiring Entra ID"}, {5 * day, ""}, {11 * day, "reminder token_expiring Entra ID"},
			{day, ""}, {6 * day, "reminder token_expiring Entra ID"}, {5*day + time.Hour, "reminder token_expiring Entra ID"},
			{day, "opened token_expired Entra ID"}, // the end of the other is no news
		} {
			got := f.ofTokens(f.after(step.wait))
			if got != step.want {
				t.Errorf("after %s more: told %q, want %q", step.wait, got, step.want)
			}
		}
		f.commit(f.org, roster.Cause{}, roster.TokenDelete{ID: id})
		if got := f.ofTokens(f.after(time.Minute)); got != "resolved token_expired Entra ID" {
			t.Errorf("after it was deleted: told %q", got)
		}
	})
}

// detach keeps the connection out of what is told later.
func (f *fixture) detach() {
	f.Helper()
	f.commit(f.org, roster.Cause{}, roster.ConnectionDetach{ID: f.conn, Reason: "it left the configuration"})
}

func (f *fixture) ofTokens(told string) string {
	f.Helper()
	return strings.Join(slices.DeleteFunc(strings.Split(told, "; "), func(s string) bool { return !strings.Contains(s, "token") }), "; ")
}

func TestADetachedConnectionIsTold(t *testing.T) {
	each(t, func(f *fixture) {
		f.ran(f.org, f.conn, failed("bad_credentials"))
		cause := roster.Cause{By: roster.ByPush, Connection: f.conn}
		f.commit(f.org, cause, roster.MemberCreate{Attributes: roster.Attributes{"userName": "ada@x.y"}, Active: true})
		f.detach()
		if got := f.kinds(); got != "connection_detached" { // what its runs did is no matter any more
			t.Fatalf("found %q", got)
		}
		if a := f.open(f.org)[0]; !strings.Contains(a.Text, "it left the configuration") || !strings.Contains(a.Text, "rosterd connection rebind entra --org acme") {
			t.Errorf("text:\n%s", a.Text)
		}
		f.commit(f.org, roster.Cause{By: roster.ByOperator}, roster.ConnectionRelease{ID: f.conn})
		if got := f.kinds(); got != "" {
			t.Errorf("after the release: %q", got)
		}
	})
}

func TestAQuarantineIsTold(t *testing.T) {
	each(t, func(f *fixture) {
		job := func(target string, q *roster.Quarantine) {
			f.ran(f.org, f.conn, func(r *roster.Run) {
				f.ok(f.db.SaveJob(context.Background(), r, roster.Job{Target: target, ID: "scim.1", State: roster.JobQuarantined, Quarantine: q}))
				r.State, r.Complete = roster.RunDone, true
			})
		}
		since := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
		q := &roster.Quarantine{Reason: "EncounteredBaseEscrowThreshold", Message: "too many errors", Since: since, Next: since.Add(day)}
		job("another", q)
		if got := f.kinds(); got != "" {
			t.Errorf("of another target: %q", got)
		}
		job("t", q)
		if got := f.kinds(); got != "quarantine" {
			t.Fatalf("found %q", got)
		}
		a := f.open(f.org)[0]
		for _, want := range []string{"EncounteredBaseEscrowThreshold: too many errors", "Since: 2026-11-01 08:00 UTC", "Next attempt: 2026-11-02 08:00 UTC"} {
			if !strings.Contains(a.Text, want) {
				t.Errorf("no %q in\n%s", want, a.Text)
			}
		}
		job("t", nil)
		if got := f.kinds(); got != "" {
			t.Errorf("after its end: %q", got)
		}
	})
}

func TestPushesThatStoppedAreTold(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		line := roster.Lifeline{ID: roster.NewID(), Org: f.org, Connection: f.conn, Since: f.now(), Cause: roster.LifelineQuarantine, Reason: "the job is in quarantine"}
		write := func() {
			f.ok(f.db.InTx(ctx, func(tx roster.Tx) error {
				return tx.Write(ctx, f.org, &roster.Rows{Lifelines: []roster.Lifeline{line}})
			}))
		}
		write()
		if got := f.kinds(); got != "" {
			t.Errorf("for a quarantine, which has an alert of its own: %q", got)
		}
		line.Until = f.now()
		write()
		line.ID, line.Until, line.Cause, line.Reason = roster.NewID(), time.Time{}, roster.LifelineStopped, "the last push was yesterday"
		write()
		if got := f.kinds(); got != "pushes_stopped" || !strings.Contains(f.open(f.org)[0].Text, "the last push was yesterday") {
			t.Errorf("found %q", got)
		}
		line.Until = f.now()
		write()
		if got := f.kinds(); got != "" {
			t.Errorf("after its end: %q", got)
		}
	})
}

func TestPushesThatAloneCrossALimitAreTold(t *testing.T) {
	each(t, func(f *fixture) {
		cause := roster.Cause{By: roster.ByPush, Connection: f.conn, Actor: roster.Actor{Kind: roster.ActorToken, Name: "Entra ID"}}
		var changes []roster.Change
		for i := range 20 {
			changes = append(changes, roster.MemberCreate{Attributes: roster.Attributes{"userName": fmt.Sprintf("p%d@x.y", i)}, Active: true})
		}
		outs := f.commit(f.org, cause, changes...)
		for i, n := range []int{5, 6} {
			var off []roster.Change
			for _, o := range outs[:n] {
				off = append(off, roster.MemberEdit{ID: o.ID, Edit: func(roster.Member) (roster.Attributes, *bool, error) { no := false; return nil, &no, nil }})
			}
			f.commit(f.org, cause, off...)
			if got, want := f.kinds(), []string{"", "pushes_cross_limit"}[i]; got != want {
				t.Errorf("after %d: %q, want %q", n, got, want)
			}
		}
		if a := f.open(f.org)[0]; a.Title != "pushes took 6 of 20 members of entra away within a day" {
			t.Errorf("title %q", a.Title)
		}
	})
}

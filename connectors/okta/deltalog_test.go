package okta_test

import (
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
)

// TestTheLogSaysWhomToRead: a delta reads those of whom the log tells, and everybody where it can't be gone by.
func TestTheLogSaysWhomToRead(t *testing.T) {
	t.Parallel()
	const who = "person3@initech.example"
	for name, tc := range map[string]struct {
		do     func(o *org) error
		people int // who are read one by one; -1: all are listed
	}{
		"nothing": {do: func(*org) error { return nil }},
		"a profile": {people: 1, do: func(o *org) error {
			return o.UpdateAppProfile(o.user(who), func(p *idpsim.AppProfile) { p.Title = "Boss" })
		}},
		"suspended":  {people: 1, do: func(o *org) error { return o.Suspend(o.user(who)) }},
		"unassigned": {people: 1, do: func(o *org) error { return o.UnassignUser(o.user(who)) }},
		"of an application, not saying whom": {people: -1, do: func(o *org) error {
			o.LogEvent("application.lifecycle.update", "", o.AppID())
			return nil
		}},
		"of another application": {do: func(o *org) error {
			o.LogEvent("application.lifecycle.update", "", "0oaAnother")
			return nil
		}},
		"late": {people: 1, do: func(o *org) error {
			o.DelayLog(3 * time.Hour)
			err := o.Suspend(o.user(who))
			o.pass(2 * time.Hour)
			if n, _ := o.looked(); n != 0 {
				o.t.Errorf("read %d before the log had it", n)
			}
			return err
		}},
		"refused":             {people: -1, do: func(o *org) error { o.Deny(idpsim.OktaLogsRead); return nil }},
		"a log with a gap":    {people: -1, do: func(o *org) error { o.Inject(idpsim.Fault{Path: "/logs", Empty: true}); return nil }},
		"not listed for long": {people: -1, do: func(o *org) error { o.pass(6 * time.Hour); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, 20, 1)
			_, err := o.delta()
			must(t, err)
			o.pass(time.Hour)
			must(t, tc.do(o))
			o.pass(time.Hour)
			n, listed := o.looked()
			if listed != (tc.people < 0) || n != max(tc.people, 0) {
				t.Errorf("read %d one by one, listed %t", n, listed)
			}
			if n, _ := o.looked(); n != 0 {
				t.Errorf("the next delta read %d again", n)
			}
		})
	}
}

// looked runs a delta, and returns how many people it read one by one, and whether it listed them.
func (o *org) looked() (int, bool) {
	o.t.Helper()
	o.ResetRequests()
	got, err := o.delta()
	must(o.t, err)
	_, listed := got.ListOf(connectors.Users, "")
	n := o.Requests()
	if !listed && n["GET /logs"] != 2 {
		o.t.Errorf("requests %v, want two looks at the log", n)
	}
	return n["GET /apps/{app}/users/{id}"], listed
}

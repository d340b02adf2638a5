package main

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// past opens the database while no daemon runs, to change what only time changes.
func (m *machine) past(change func(db *sqlx.DB, log func(*roster.Request), org string)) {
	m.t.Helper()
	d := m.db
	d.Dir = filepath.Join(d.Dir, "data")
	db := storetest.Open(m.t, d)
	org, err := db.Organisation(context.Background(), "default")
	if err != nil {
		m.t.Fatal(err)
	}
	driver, address := "sqlite", "file:"+filepath.Join(d.Dir, "rosterd.db")
	if d.URL != "" {
		driver, address = "postgres", d.URL
	}
	raw, err := sqlx.Open(driver, address)
	if err != nil {
		m.t.Fatal(err)
	}
	change(raw, func(r *roster.Request) {
		r.Org = org.ID
		if err := db.LogRequest(context.Background(), r, ""); err != nil {
			m.t.Fatal(err)
		}
	}, org.ID)
	if err := raw.Close(); err != nil {
		m.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// The request log has reads too, unless the file says otherwise, and forgets what is older than the file says.
func TestE2ERequestLogSettings(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		p := m.pushing(m.token("default", "idp"))
		p.must(m.t, http.StatusOK, "GET", "/Users", nil)
		logged := func(line string) []client.Request {
			return asked[[]client.Request](m, exitDone, "requests list --org default "+line)
		}
		m.until("the read is logged", func() bool { return len(logged("--method get --token idp --path /Users --since 1h")) == 1 })
		p.must(m.t, http.StatusOK, "GET", "/Groups", nil)
		if code := m.stop(); code != exitDone {
			m.t.Errorf("exit code %d", code)
		}
		m.past(func(_ *sqlx.DB, log func(*roster.Request), _ string) {
			log(&roster.Request{ID: "018bcfe5-6800-7000-8000-000000000000", Time: time.UnixMilli(1700000000000), Method: "POST", Path: "/old", Status: 201, Repeats: 1})
		})
		m.file("rosterd.yaml", "request_log: { keep: 1d, reads: false }\n")
		m.serve("--config", "rosterd.yaml")
		if rows := logged("--path /Groups"); len(rows) != 1 {
			m.t.Errorf("what was read just before the end is not logged: %+v", rows)
		}
		m.until("the old request is gone", func() bool { return len(logged("--path /old")) == 0 })
		p = m.pushing(p.token)
		p.must(m.t, http.StatusOK, "GET", "/ResourceTypes", nil)
		p.must(m.t, http.StatusCreated, "POST", "/Users", user("ada@example.com", "Ada"))
		m.stop() // what waited is written now
		m.serve("--config", "rosterd.yaml")
		if rows := logged("--path /ResourceTypes"); len(rows) != 0 {
			m.t.Errorf("reads are switched off, and logged: %+v", rows)
		}
		if rows := logged("--path /Users --method POST --status 2xx"); len(rows) != 1 || rows[0].RequestBody == "" {
			m.t.Errorf("a change is logged as %+v", rows)
		}
		if out := m.want(exitDone, "requests list --org default --csv").out; !strings.HasPrefix(out, "time,id,method,path,status,") {
			m.t.Errorf("exported %q", out)
		}
	})
}

// A token that expires is announced once, over restarts and a kill, by an event, a line in the log and in the list.
func TestE2EExpiryIsAnnounced(t *testing.T) {
	eachMachine(t, func(m *machine) {
		m.serve()
		m.token("default", "idp") // for 90 days
		m.token("default", "other")
		m.stop()
		m.past(func(db *sqlx.DB, _ func(*roster.Request), _ string) {
			const day = 24 * time.Hour
			if _, err := db.Exec(db.Rebind(`UPDATE tokens SET created_at = ?, expires_at = ? WHERE name = 'idp'`),
				time.Now().Add(-80*day).UnixMicro(), time.Now().Add(6*day+time.Hour).UnixMicro()); err != nil {
				m.t.Fatal(err)
			}
		})
		announced := func() (said []client.Event) {
			for _, e := range m.events("default") {
				if e.Type == "token.expiring" {
					said = append(said, e)
				}
			}
			return said
		}
		m.serve()
		m.until("the expiry is announced", func() bool { return len(announced()) > 0 })
		if log := m.daemon.errOut.String(); !strings.Contains(log, "a SCIM token expires soon") || !strings.Contains(log, "days=7") {
			m.t.Errorf("the log says nothing of it")
		}
		if list := m.want(exitDone, "token list --org default").out; !strings.Contains(list, "in 6 days") {
			m.t.Errorf("the list says\n%s", list)
		}
		m.kill()
		m.serve()
		m.want(exitDone, "events list --org default")
		m.stop()
		m.serve()
		if said := announced(); len(said) != 1 || said[0].Subject.Name != "idp" || said[0].Actor.Type != "system" || !strings.Contains(string(said[0].After), `"days": 7`) {
			m.t.Errorf("announced %+v", said)
		}
	})
}

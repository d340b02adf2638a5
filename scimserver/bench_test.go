package scimserver_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver"
)

// bench is a server with one organisation.
type bench struct {
	roster *roster.Roster
	org    string
	do     func(method, path, body string) int
}

func benchmark(b *testing.B, run func(b *testing.B, do func(method, path, body string) int)) {
	b.Helper()
	benchmarkOver(b, func(b *testing.B, e bench) {
		b.Helper()
		run(b, e.do)
	})
}

// benchmarkOver opens a server over SQLite, and over PostgreSQL where one is at hand.
func benchmarkOver(b *testing.B, run func(b *testing.B, e bench)) {
	b.Helper()
	databases := map[string]string{"sqlite": ""}
	if server := os.Getenv("ROSTERD_TEST_POSTGRES"); server != "" {
		databases["postgres"] = server
	}
	for kind, server := range databases {
		b.Run(kind, func(b *testing.B) {
			databaseURL := server
			if server != "" {
				databaseURL = postgresFor(b, server)
			}
			log := slog.New(slog.DiscardHandler)
			db, err := store.Open(b.Context(), databaseURL, b.TempDir(), log)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			r := roster.New(db)
			org := roster.NewID()
			id, plain, hash := roster.MintToken()
			if _, err := r.Commit(b.Context(), org, roster.Cause{}, []roster.Change{
				roster.OrgCreate{ID: org, Name: "acme", SCIM: true}, roster.TokenCreate{Token: roster.Token{ID: id, Name: "t", Hash: hash}},
			}); err != nil {
				b.Fatal(err)
			}
			srv, err := scimserver.New(scimserver.Config{Roster: r, Store: db, Log: log})
			if err != nil {
				b.Fatal(err)
			}
			run(b, bench{roster: r, org: org, do: func(method, path, body string) int {
				req := httptest.NewRequest(method, "/scim/v2"+path, strings.NewReader(body))
				req.Header.Set("Authorization", "Bearer "+plain)
				w := httptest.NewRecorder()
				srv.ServeHTTP(w, req)
				return w.Code
			}})
		})
	}
}

// postgresFor makes an empty database on the test server.
func postgresFor(b *testing.B, server string) string {
	b.Helper()
	admin, err := sql.Open("postgres", server)
	if err != nil {
		b.Fatal(err)
	}
	name := "rosterd_bench_" + strings.ReplaceAll(roster.NewID(), "-", "")
	if _, err := admin.ExecContext(b.Context(), `CREATE DATABASE `+name); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_, _ = admin.ExecContext(context.Background(), `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
		_ = admin.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		b.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func userNumber(i int) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user%d@example.com","active":true,
		"externalId":"x%d","displayName":"User %d","name":{"givenName":"User","familyName":"%d"},
		"emails":[{"primary":true,"type":"work","value":"user%d@example.com"}]}`, i, i, i, i, i)
}

func BenchmarkCreateUser(b *testing.B) {
	benchmark(b, func(b *testing.B, do func(method, path, body string) int) {
		b.Helper()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if code := do(http.MethodPost, "/Users", userNumber(i)); code != http.StatusCreated {
				b.Fatal(code)
			}
		}
	})
}

func BenchmarkFindUserByUserName(b *testing.B) {
	benchmark(b, func(b *testing.B, do func(method, path, body string) int) {
		b.Helper()
		for i := range 1000 {
			do(http.MethodPost, "/Users", userNumber(i))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			query := url.Values{"filter": {fmt.Sprintf(`userName eq "USER%d@example.com"`, i%1000)}}
			if code := do(http.MethodGet, "/Users?"+query.Encode(), ""); code != http.StatusOK {
				b.Fatal(code)
			}
		}
	})
}

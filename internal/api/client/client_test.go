package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
)

// onSocket serves handler on a unix socket and returns its path.
func onSocket(t *testing.T, handler http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rosterd") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := client.SocketPath(dir)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

func open(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// numbered serves n members in pages, and records the query of each request.
func numbered(n int, queries *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*queries = append(*queries, r.URL.RawQuery)
		start, _ := strconv.Atoi(r.URL.Query().Get("after"))
		size, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		page := client.Page[client.Member]{Items: []client.Member{}}
		for i := start; i < min(start+size, n); i++ {
			page.Items = append(page.Items, client.Member{UserName: strconv.Itoa(i)})
		}
		if start+size < n {
			page.Next = strconv.Itoa(start + size)
		}
		_ = json.NewEncoder(w).Encode(page)
	})
}

func TestListsPageThroughEverythingOrStopAtLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		there, limit, want int
		queries            []string
	}{
		"nothing":           {0, 0, 0, []string{"limit=1000&search=x+y"}},
		"one page exactly":  {1000, 0, 1000, []string{"limit=1000&search=x+y"}},
		"three pages":       {2500, 0, 2500, []string{"limit=1000&search=x+y", "after=1000&limit=1000&search=x+y", "after=2000&limit=1000&search=x+y"}},
		"a small limit":     {2500, 3, 3, []string{"limit=3&search=x+y"}},
		"a limit past page": {2500, 1001, 1001, []string{"limit=1000&search=x+y", "after=1000&limit=1&search=x+y"}},
		"more than there":   {5, 10, 5, []string{"limit=10&search=x+y"}},
	} {
		t.Run(name, func(t *testing.T) {
			var queries []string
			c := open(t, client.Options{Socket: onSocket(t, numbered(tc.there, &queries))})
			got, err := client.Collect(c.Members(context.Background(), "default", client.ListOptions{Limit: tc.limit, Search: "x y"}))
			if err != nil {
				t.Fatal(err)
			}
			if got == nil || len(got) != tc.want {
				t.Errorf("%d members, want %d", len(got), tc.want)
			}
			if !slices.Equal(queries, tc.queries) {
				t.Errorf("asked %q, want %q", queries, tc.queries)
			}
		})
	}
}

func TestListEndsWhereTheCursorStandsStill(t *testing.T) {
	c := open(t, client.Options{Socket: onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"items":[{"id":"1"}],"next":"same"}`)
	}))})
	if _, err := client.Collect(c.Teams(context.Background(), "default", client.ListOptions{})); err == nil || !strings.Contains(err.Error(), "same cursor twice") {
		t.Errorf("got %v", err)
	}
}

func TestSearchOfSmallListsCountsLimitAfterIt(t *testing.T) {
	c := open(t, client.Options{Socket: onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"items":[{"name":"one","connection":"a"},{"name":"Two A","connection":"a"},{"name":"two b","connection":null},{"name":"two c","connection":"a"}]}`)
	}))})
	tokens, err := client.Collect(c.Tokens(context.Background(), "default", client.ListOptions{Limit: 2, Search: "TWO", Connection: "a"}))
	if err != nil || len(tokens) != 2 || tokens[0].Name != "Two A" || tokens[1].Name != "two c" {
		t.Errorf("got %+v, %v", tokens, err)
	}
}

func TestProblemsBecomeErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   client.Error
	}{
		"a problem":     {409, `{"title":"Conflict","status":409,"detail":"is there already","code":"conflict"}`, client.Error{Status: 409, Code: "conflict", Message: "is there already"}},
		"with details":  {422, `{"title":"x","detail":"validation failed","errors":[{"message":"expected string","location":"body.name"}]}`, client.Error{Status: 422, Message: "validation failed; expected string body.name"}},
		"no JSON":       {502, `<html>`, client.Error{Status: 502, Message: "the server answered 502 Bad Gateway"}},
		"nothing":       {404, ``, client.Error{Status: 404, Message: "the server answered 404 Not Found"}},
		"another JSON":  {500, `[1]`, client.Error{Status: 500, Message: "the server answered 500 Internal Server Error"}},
		"only a title":  {403, `{"title":"Forbidden"}`, client.Error{Status: 403, Message: "Forbidden"}},
		"a redirection": {301, ``, client.Error{Status: 301, Message: "the server answered 301 Moved Permanently and points to https://x.example: give that address"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, client.Options{Socket: onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tc.status == http.StatusMovedPermanently {
					w.Header().Set("Location", "https://x.example")
				}
				w.WriteHeader(tc.status)
				_, _ = fmt.Fprint(w, tc.body)
			}))})
			_, err := c.Status(context.Background())
			var got *client.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if *got != tc.want {
				t.Errorf("got %+v, want %+v", *got, tc.want)
			}
			if client.Temporary(err) != (tc.status == 502) {
				t.Errorf("temporary: %t", client.Temporary(err))
			}
		})
	}
}

func TestAnAnswerThatIsNoJSONIsAnError(t *testing.T) {
	c := open(t, client.Options{Socket: onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"version":`)
	}))})
	if _, err := c.Status(context.Background()); err == nil || !strings.Contains(err.Error(), "GET /status") {
		t.Errorf("got %v", err)
	}
}

func TestNoDaemonNamesSocketAndCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	c := open(t, client.Options{Socket: client.SocketPath(dir)})
	_, err := c.Status(context.Background())
	var lost *client.Unreachable
	if !errors.As(err, &lost) || !client.Temporary(err) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{client.SocketPath(dir), "no such file or directory", "`rosterd serve --data-dir '" + strings.ReplaceAll(dir, "'", `'\''`) + "'`"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q doesn't name %s", err, part)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSocketPathTooLong(t *testing.T) {
	_, err := client.New(client.Options{Socket: client.SocketPath("/" + strings.Repeat("x", 120))})
	if err == nil || !strings.Contains(err.Error(), "too long") || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("got %v", err)
	}
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// The longest path that passes must be one that the system takes.
	longest := filepath.Join(dir, "x")
	for client.CheckSocket(longest+"x") == nil {
		longest += "x"
	}
	listener, err := net.Listen("unix", longest)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(longest), err)
	}
	_ = listener.Close()
}

func TestServerGetsTheKeyAndTheEscapedPath(t *testing.T) {
	var path, authorization string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, authorization = r.URL.EscapedPath(), r.Header.Get("Authorization")
		_, _ = fmt.Fprint(w, `{}`)
	}))
	defer server.Close()
	c := open(t, client.Options{Server: server.URL + "/base/", APIKey: "rsk_1"})
	if _, err := c.DeactivateMember(context.Background(), "default", "a/b?c@x"); err != nil {
		t.Fatal(err)
	}
	if want := "/base/api/v1/orgs/default/members/a%2Fb%3Fc@x/deactivate"; path != want || authorization != "Bearer rsk_1" {
		t.Errorf("%s with %s", path, authorization)
	}
	for _, bad := range []string{"id.example.com", "ftp://x", "https://u:p@x", "https://"} {
		if _, err := client.New(client.Options{Server: bad}); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

func TestEveryCallHasItsRoute(t *testing.T) {
	var got string
	c := open(t, client.Options{Socket: onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		_, _ = fmt.Fprintf(body, "%s %s", r.Method, strings.TrimPrefix(r.URL.RequestURI(), "/api/v1"))
		var content any
		if json.NewDecoder(r.Body).Decode(&content) == nil {
			text, _ := json.Marshal(content)
			_, _ = fmt.Fprintf(body, " %s", text)
		}
		got = body.String()
		_, _ = fmt.Fprint(w, `{}`)
	}))})
	ctx := context.Background()
	all := client.ListOptions{Search: "s", Status: "held", Connection: "c", Organisation: "o"}
	for want, call := range map[string]func() error{
		`GET /version`:                            func() error { _, err := c.Version(ctx); return err },
		`GET /orgs?limit=1000`:                    func() error { _, err := client.Collect(c.Organisations(ctx, client.ListOptions{})); return err },
		`POST /orgs {"name":"o"}`:                 func() error { _, err := c.CreateOrganisation(ctx, "o"); return err },
		`GET /orgs/o/scim`:                        func() error { _, err := c.SCIM(ctx, "o"); return err },
		`PUT /orgs/o/scim {"enabled":true}`:       func() error { _, err := c.SetSCIM(ctx, "o", true); return err },
		`POST /orgs/o/tokens/t/enable`:            func() error { _, err := c.EnableToken(ctx, "o", "t"); return err },
		`POST /orgs/o/tokens/t/disable`:           func() error { _, err := c.DisableToken(ctx, "o", "t"); return err },
		`DELETE /orgs/o/tokens/t`:                 func() error { return c.DeleteToken(ctx, "o", "t") },
		`DELETE /orgs/o/apikeys/k`:                func() error { return c.DeleteAPIKey(ctx, "o", "k") },
		`POST /orgs/o/members/k/reactivate`:       func() error { _, err := c.ReactivateMember(ctx, "o", "k"); return err },
		`GET /orgs/o/connections?limit=1000`:      func() error { _, err := client.Collect(c.Connections(ctx, "o", all)); return err },
		`POST /orgs/o/connections/n/test`:         func() error { _, err := c.TestConnection(ctx, "o", "n"); return err },
		`POST /orgs/o/connections/n/rebind`:       func() error { _, err := c.RebindConnection(ctx, "o", "n"); return err },
		`POST /orgs/o/connections/n/release`:      func() error { _, err := c.ReleaseConnection(ctx, "o", "n"); return err },
		`GET /orgs/o/apikeys?limit=1000`:          func() error { _, err := client.Collect(c.APIKeys(ctx, "o", all)); return err },
		`GET /runs/r?actions=true`:                func() error { _, err := c.Run(ctx, "r", true); return err },
		`POST /runs/r/cancel`:                     func() error { _, err := c.CancelRun(ctx, "r"); return err },
		`POST /runs/r/approve {"only":["stale"]}`: func() error { _, err := c.ApproveRun(ctx, "r", []string{"stale"}); return err },
		`POST /orgs/o/diff {"connection":"c"}`:    func() error { _, err := c.Diff(ctx, "o", client.AskDiff{Connection: "c"}); return err },
		`POST /orgs/o/resync {"full":true}`:       func() error { _, err := c.Resync(ctx, "o", client.AskResync{Full: true}); return err },
		`GET /orgs/%2E%2E/scim`:                   func() error { _, err := c.SCIM(ctx, ".."); return err },
		`POST /orgs/o/members {"email":"a@x"}`:    func() error { _, err := c.InviteMember(ctx, "o", client.NewMember{Email: "a@x"}); return err },
		`GET /runs?connection=c&limit=1000&org=o&status=held`: func() error {
			_, err := client.Collect(c.Runs(ctx, all))
			return err
		},
		`POST /orgs/o/connections/n/pause {"for":"2h","reason":"r"}`: func() error {
			_, err := c.PauseConnection(ctx, "o", "n", client.AskPause{For: "2h", Reason: "r"})
			return err
		},
		`POST /orgs/o/connections/n/resume`: func() error { _, err := c.ResumeConnection(ctx, "o", "n"); return err },
		`GET /orgs/o/teams/exclusions?limit=1000`: func() error {
			_, err := client.Collect(c.Exclusions(ctx, "o", "teams", client.ListOptions{}))
			return err
		},
		`POST /orgs/o/members/exclude {"for":"3d","key":"k","reason":"r"}`: func() error {
			_, err := c.Exclude(ctx, "o", "members", client.Exclude{Key: "k", For: "3d", Reason: "r"})
			return err
		},
		`POST /orgs/o/teams/include {"key":"k"}`: func() error {
			_, err := c.Include(ctx, "o", "teams", client.Include{Key: "k"})
			return err
		},
		`POST /orgs/o/connections/rename {"new":"b","old":"a"}`: func() error {
			_, err := c.RenameConnection(ctx, "o", client.RenameConnection{Old: "a", New: "b"})
			return err
		},
		`POST /orgs/o/members/adopt {"all_matching":true,"connection":"c"}`: func() error {
			_, err := c.AdoptMembers(ctx, "o", client.Adopt{AllMatching: true, Connection: "c"})
			return err
		},
		`POST /orgs/o/members/link {"connection":"c","key":"k","object_id":"i"}`: func() error {
			_, err := c.LinkMember(ctx, "o", client.LinkMember{Key: "k", Connection: "c", ObjectID: "i"})
			return err
		},
		`GET /orgs/o/members/k`: func() error { _, err := c.Member(ctx, "o", "k"); return err },
		`POST /orgs/o/members/unlink {"connection":"c","key":"k"}`: func() error {
			_, err := c.UnlinkMember(ctx, "o", client.Unlink{Key: "k", Connection: "c"})
			return err
		},
		`POST /orgs/o/teams/unlink {"connection":"c","key":"k"}`: func() error {
			_, err := c.UnlinkTeam(ctx, "o", client.Unlink{Key: "k", Connection: "c"})
			return err
		},
		`POST /orgs/o/tokens {"expires":"90d","name":"n"}`: func() error {
			_, err := c.CreateToken(ctx, "o", client.NewToken{Name: "n", Expires: "90d"})
			return err
		},
		`POST /orgs/o/apikeys {"expires":"never","name":"n","role":"admin"}`: func() error {
			_, err := c.CreateAPIKey(ctx, "o", client.NewAPIKey{Name: "n", Role: "admin", Expires: "never"})
			return err
		},
		`GET /orgs/o/events?connection=c&limit=1000&org=o&search=s&status=held`: func() error {
			_, err := client.Collect(c.Events(ctx, "o", all))
			return err
		},
		`GET /orgs/o/requests?limit=1000&status=4xx`: func() error {
			_, err := client.Collect(c.Requests(ctx, "o", client.ListOptions{Status: "4xx"}))
			return err
		},
	} {
		if err := call(); err != nil || got != want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, want)
		}
	}
}

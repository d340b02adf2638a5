package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/internal/web"
)

func serve(h http.HandlerFunc, r *http.Request) (w *httptest.ResponseRecorder, lines []map[string]any) {
	var logs bytes.Buffer
	w = httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
				panic(p)
			}
		}()
		web.Floor(slog.New(slog.NewJSONHandler(&logs, nil)), h).ServeHTTP(w, r)
	}()
	for line := range strings.Lines(logs.String()) {
		var m map[string]any
		_ = json.Unmarshal([]byte(line), &m)
		lines = append(lines, m)
	}
	return w, lines
}

func TestARequestHasOneIDThatTheClientCannotChoose(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/x?secret=1", nil)
	r.Header.Set(web.RequestIDHeader, "forged")
	var seen, inner string
	w, lines := serve(func(w http.ResponseWriter, r *http.Request) {
		seen = web.RequestIDOf(r.Context())
		web.RequestID(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inner = web.RequestIDOf(r.Context()) })).ServeHTTP(w, r)
	}, r)
	id, err := uuid.Parse(seen)
	if err != nil || id.Version() != 7 || inner != seen || w.Header().Get(web.RequestIDHeader) != seen {
		t.Errorf("id %q (%v), inside %q, answered %q", seen, err, inner, w.Header().Get(web.RequestIDHeader))
	}
	if len(lines) != 1 || lines[0]["request_id"] != seen || lines[0]["path"] != "/x" || lines[0]["status"] != 200.0 {
		t.Errorf("logged %v", lines)
	}
}

func TestAPanicIsA500LoggedOnce(t *testing.T) {
	w, lines := serve(func(http.ResponseWriter, *http.Request) { panic("boom") }, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	panics := 0
	for _, l := range lines {
		if l["panic"] == "boom" && strings.Contains(l["stack"].(string), "web_test.go") {
			panics++
		}
	}
	if panics != 1 || len(lines) != 2 {
		t.Errorf("logged %v", lines)
	}
}

func TestAnAnswerThatPanicsHalfWayIsCutOff(t *testing.T) {
	server := httptest.NewServer(web.Floor(slog.New(slog.DiscardHandler), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"half":`)
		panic("boom")
	})))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		return
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the half was taken for the whole: %q", body)
	}
}

func TestBodiesAreBoundedAsSentAndUnpacked(t *testing.T) {
	pack := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.String()
	}
	for name, tc := range map[string]struct {
		body, encoding string
		want           string
		err            error
	}{
		"nothing":             {"", "", "", nil},
		"up to the limit":     {strings.Repeat("x", 100), "", strings.Repeat("x", 100), nil},
		"beyond it":           {strings.Repeat("x", 101), "", strings.Repeat("x", 100), web.ErrBodyTooLarge},
		"packed":              {pack("hello"), "GZIP", "hello", nil},
		"packed, beyond it":   {pack(strings.Repeat("x", 100_000)), "gzip", strings.Repeat("x", 100), web.ErrBodyTooLarge},
		"packed, broken off":  {pack("hello")[:20], "gzip", "", web.ErrBodyBroken},
		"packed, not at all":  {"hello", "gzip", "", web.ErrBodyBroken},
		"some other encoding": {"hello", "br", "", web.ErrBodyEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tc.body))
			r.Header.Set("Content-Encoding", tc.encoding)
			got, err := web.ReadBody(httptest.NewRecorder(), r, 100)
			if !errors.Is(err, tc.err) || (tc.err == nil && err != nil) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			if !errors.Is(err, web.ErrBodyBroken) && string(got) != tc.want {
				t.Errorf("read %q, want %q", got, tc.want)
			}
		})
	}
}

func TestClientAddrHasNoPort(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8::1]:1234": "2001:db8::1", "@": "local", "": "local", "/run/x.sock": "local", "odd": "odd",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		if got := web.ClientAddr(r); got != want {
			t.Errorf("%q gives %q, want %q", remote, got, want)
		}
	}
}

func TestThePrincipalIsTheOneThatWasSet(t *testing.T) {
	if p, ok := web.PrincipalOf(context.Background()); ok {
		t.Errorf("out of nothing came %+v", p)
	}
	want := web.Principal{Kind: "api_key", ID: "1", Name: "n", Org: "o", Role: "viewer"}
	if p, ok := web.PrincipalOf(web.WithPrincipal(t.Context(), want)); !ok || p != want {
		t.Errorf("got %+v %t", p, ok)
	}
}

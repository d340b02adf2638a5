package scimserver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// Config is what a Server needs. Roster, Store and Log are required.
type Config struct {
	Roster *roster.Roster
	Store  *store.DB
	Log    *slog.Logger
	// PublicURL is where clients reach the service, as in https://id.example.com; empty: what each request came by.
	PublicURL string
	// MaxBody bounds a request's body in bytes; 0: 10 MiB.
	MaxBody int64
	// PageSize is how many resources a list holds if the client doesn't say; 0: 100.
	PageSize int
	// MaxPage is how many a list holds at most; 0: 1000.
	MaxPage int
	// MaxPageMembers is how many members the groups of one page hold together before it is cut short; 0: 20000.
	MaxPageMembers int
	// SearchTime bounds what one list may cost the database; 0: 15 s. What indexes don't serve is a look at everybody.
	SearchTime time.Duration
	// TokenCache is for how long what is known of a token is trusted; 0: 500 ms, negative: not at all. Disabling a token
	// and switching SCIM off take that long to be obeyed.
	TokenCache time.Duration
	// SkipReads keeps requests that read something and were answered out of the request log.
	SkipReads bool
	// Extensions are schemas of their own that organisations add to the User (scim.NewExtension), by their names.
	Extensions map[string][]*scim.Schema
	// Meter counts requests and refused tokens; nil: nothing does.
	Meter Meter
	// Now is the clock by which tokens expire; nil: time.Now.
	Now func() time.Time
}

// Server is the SCIM service provider. It is safe for concurrent use.
type Server struct {
	roster    *roster.Roster
	store     *store.DB
	log       *slog.Logger
	publicURL string
	limits    limits
	now       func() time.Time
	meter     Meter

	users   *scim.ResourceType
	own     map[string]*scim.ResourceType // of an organisation that has extensions, by its name: its User
	groups  *scim.ResourceType
	routes  map[string]route
	tokens  *tokenCache
	used    *usage
	unknown *unknownTokens
	journal *journal
	large   chan struct{} // has as many as large bodies are worked on
	handler http.Handler
}

type limits struct {
	body          int64
	page, maxPage int
	pageMembers   int
	search        time.Duration
}

// New returns a Server, or an error for a Config that can't work.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Roster == nil || cfg.Store == nil || cfg.Log == nil:
		return nil, errors.New("scimserver: Roster, Store and Log are required")
	case cfg.MaxBody < 0 || cfg.PageSize < 0 || cfg.MaxPage < 0 || cfg.MaxPageMembers < 0 || cfg.SearchTime < 0:
		return nil, errors.New("scimserver: a limit is negative")
	}
	if cfg.PublicURL != "" {
		if u, err := url.Parse(cfg.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, errors.New("scimserver: PublicURL must begin with https:// or http:// and name a host")
		}
	}
	s := &Server{
		roster: cfg.Roster, store: cfg.Store, log: cfg.Log, publicURL: strings.TrimRight(cfg.PublicURL, "/"),
		limits: limits{
			body: orDefault(cfg.MaxBody, 10<<20), page: orDefault(cfg.PageSize, 100), maxPage: orDefault(cfg.MaxPage, 1000),
			pageMembers: orDefault(cfg.MaxPageMembers, 20_000), search: orDefault(cfg.SearchTime, 15*time.Second),
		},
		now: cfg.Now, users: scim.NewUserType(), own: map[string]*scim.ResourceType{}, groups: scim.NewGroupType(), used: newUsage(),
		unknown: newUnknownTokens(), journal: newJournal(!cfg.SkipReads), large: make(chan struct{}, largeAtOnce),
	}
	if s.now == nil {
		s.now = time.Now
	}
	for org, extensions := range cfg.Extensions {
		s.own[roster.Fold(org)] = scim.NewUserType(extensions...)
	}
	s.tokens = newTokenCache(cfg.Store, orDefault(cfg.TokenCache, 500*time.Millisecond), s.now)
	s.routes = s.table()
	s.handler = compressed(http.HandlerFunc(s.serve))
	if s.meter = cfg.Meter; s.meter == nil {
		s.meter = unmetered{}
	} else {
		s.handler = web.Measure(s.measure, s.handler)
	}
	s.handler = web.RequestID(s.handler)
	return s, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Before serves what belongs to SCIM and hands everything else to next. It must stand before any mux, as it needs the
// path as it was sent.
func (s *Server) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Serves(r.URL.EscapedPath()) {
			s.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Serves reports whether a path, as it was sent, is the Server's.
func (s *Server) Serves(path string) bool {
	_, _, ok := splitPath(path)
	return ok
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// UnknownTokens counts the requests so far whose token nobody knows. They belong to no organisation, so no request log
// has them.
func (s *Server) UnknownTokens() int64 { return s.unknown.count.Load() }

// FlushUsed writes when tokens were last used. The daemon calls it every minute and when it stops.
func (s *Server) FlushUsed(ctx context.Context) error {
	used := s.used.take()
	if len(used) == 0 {
		return nil
	}
	if err := s.store.TokensUsed(ctx, used); err != nil {
		s.used.putBack(used)
		return err
	}
	return nil
}

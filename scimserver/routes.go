package scimserver

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/web"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// bases are where the service is mounted.
func bases() [][]string {
	return [][]string{{"service", "v1", "scim", "v2"}, {"scim", "v2"}}
}

type handler func(*exchange) error

// route is what can be done at one address.
type route struct {
	public  bool // discovery is open to everybody (RFC 7644, section 4)
	methods map[string]handler
}

// table is the route table; * stands for an id.
func (s *Server) table() map[string]route {
	get := func(h handler) map[string]handler { return map[string]handler{"GET": h} }
	post := func(h handler) map[string]handler { return map[string]handler{"POST": h} }
	return map[string]route{
		"ServiceProviderConfig": {public: true, methods: get((*exchange).serviceProviderConfig)},
		"ResourceTypes":         {public: true, methods: get((*exchange).resourceTypes)},
		"ResourceTypes/*":       {public: true, methods: get((*exchange).resourceType)},
		"Schemas":               {public: true, methods: get((*exchange).schemas)},
		"Schemas/*":             {public: true, methods: get((*exchange).schema)},
		"":                      {methods: get((*exchange).listAll)},
		".search":               {methods: post((*exchange).searchAll)},
		"Users/.search":         {methods: post((*exchange).searchUsers)},
		"Groups/.search":        {methods: post((*exchange).searchGroups)},
		"Users":                 {methods: map[string]handler{"GET": (*exchange).listUsers, "POST": (*exchange).createUser}},
		"Users/*": {methods: map[string]handler{
			"GET": (*exchange).readUser, "PUT": (*exchange).replaceUser, "PATCH": (*exchange).patchUser, "DELETE": (*exchange).deleteUser,
		}},
		"Groups": {methods: map[string]handler{"GET": (*exchange).listGroups, "POST": (*exchange).createGroup}},
		"Groups/*": {methods: map[string]handler{
			"GET": (*exchange).readGroup, "PUT": (*exchange).replaceGroup, "PATCH": (*exchange).patchGroup, "DELETE": (*exchange).deleteGroup,
		}},
		"Me":   {methods: every((*exchange).me)},
		"Bulk": {methods: map[string]handler{"POST": (*exchange).bulk}},
	}
}

func every(h handler) map[string]handler {
	return map[string]handler{"GET": h, "POST": h, "PUT": h, "PATCH": h, "DELETE": h}
}

// me answers for /Me (RFC 7644, section 3.11).
func (x *exchange) me() error {
	return scim.NewError(http.StatusNotImplemented, "the token stands for an application, not for a person: there is no /Me")
}

// splitPath takes a path as it was sent apart: which base it begins with, and what follows, decoded. Empty segments count
// for nothing, so that //Users and a slash at the end do no harm.
func splitPath(path string) (base, rest []string, ok bool) {
	var parts []string
	for p := range strings.SplitSeq(path, "/") {
		if p == "" {
			continue
		}
		if decoded, err := url.PathUnescape(p); err == nil {
			p = decoded
		}
		parts = append(parts, p)
	}
	for _, b := range bases() {
		if len(parts) >= len(b) && slices.Equal(parts[:len(b)], b) {
			return b, parts[len(b):], true
		}
	}
	return nil, nil, false
}

// find returns the route for what follows the base, and the id in it.
func (s *Server) find(rest []string) (rt route, id string, ok bool) {
	if rt, ok = s.routes[strings.Join(rest, "/")]; ok && len(rest) < 3 && !slices.Contains(rest, "*") {
		return rt, "", true
	}
	if len(rest) != 2 {
		return route{}, "", false
	}
	rt, ok = s.routes[rest[0]+"/*"]
	return rt, rest[1], ok
}

// serve handles one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, r: r, began: time.Now(), id: web.RequestIDOf(r.Context())}
	base, rest, _ := splitPath(r.URL.EscapedPath())
	x.base = s.baseURL(r, base)
	panicked := func(w http.ResponseWriter, _ *http.Request) {
		x.w = w
		x.sendError(internalError(x.id), "panic, see the server's log", "")
	}
	web.Recover(s.log, panicked, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		x.watch(w, func() {
			if err := x.run(rest); err != nil {
				x.fail(err)
			}
		})
	})).ServeHTTP(w, r)
}

func (x *exchange) run(rest []string) error {
	rt, id, found := x.s.find(rest)
	x.arg = id
	if !rt.public || x.method() != http.MethodGet {
		if err := x.authenticate(); err != nil {
			return err
		}
	}
	if !found {
		return scim.NewError(http.StatusNotFound, "there is nothing at %s", clip(x.r.URL.Path))
	}
	do, ok := rt.methods[x.method()]
	if !ok {
		return x.otherMethod(rt)
	}
	query, err := parseQuery(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	x.query = query
	return do(x)
}

// otherMethod answers OPTIONS, and 405 for what the route doesn't have.
func (x *exchange) otherMethod(rt route) error {
	allowed := append(slices.Sorted(maps.Keys(rt.methods)), http.MethodOptions)
	if rt.methods["GET"] != nil {
		allowed = append(allowed, http.MethodHead)
	}
	x.w.Header().Set("Allow", strings.Join(allowed, ", "))
	if x.r.Method == http.MethodOptions {
		x.send(answer{status: http.StatusNoContent})
		return nil
	}
	return scim.NewError(http.StatusMethodNotAllowed, "%s is not possible here, only %s", x.r.Method, strings.Join(allowed, ", "))
}

// parseQuery reads a query. A bare semicolon is a character like any other (WHATWG URL), and what can't be decoded is
// refused: a list whose filter got lost would be a list of everybody.
func parseQuery(raw string) (url.Values, error) {
	values, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	if err != nil {
		return nil, scim.InvalidSyntax("the query can't be decoded: %v", err)
	}
	return values, nil
}

// baseURL is the service's URL as the client knows it.
func (s *Server) baseURL(r *http.Request, base []string) string {
	root := s.publicURL
	if root == "" {
		root = "http://" + r.Host
		if r.TLS != nil {
			root = "https://" + r.Host
		}
	}
	return root + "/" + strings.Join(base, "/")
}

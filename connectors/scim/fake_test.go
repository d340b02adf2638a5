package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/connectortest"
	"github.com/rosterd/rosterd/connectors/scim"
	protocol "github.com/rosterd/rosterd/scimserver/scim"
)

const token = "scim-token-0123456789"

// server is a SCIM server that holds a directory. Who is in scope has the userType "app", a group that means to become a
// team has an externalId.
type server struct {
	url string

	mu       sync.Mutex
	dir      connectortest.Directory
	refuses  connectors.CollectionKind
	failures []*connectortest.Failure
	cursors  bool                                         // its lists are read by cursor
	edit     func(r *http.Request, answer map[string]any) // spoils an answer, when not nil
}

func startTenant(t *testing.T, d connectortest.Directory) connectortest.Tenant {
	t.Helper()
	s := &server{dir: connectortest.Directory{People: slices.Clone(d.People), Groups: slices.Clone(d.Groups)}}
	for i, g := range d.Groups {
		s.dir.Groups[i].Members = slices.Clone(g.Members)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/scim/v2"
	return s
}

func (s *server) Open(t *testing.T, a connectortest.Access) connectortest.Connector {
	t.Helper()
	cfg := scim.Config{URL: s.url, Token: token, UsersFilter: `userType eq "app"`, GroupsFilter: "externalId pr"}
	if a.Secret != "" {
		cfg.Token = a.Secret
	}
	s.refuses = a.Without
	c, err := scim.Open(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) ObjectID(name string) string { return "id/ö " + name }

func (s *server) Delete(_ *testing.T, userName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dir.People = slices.DeleteFunc(s.dir.People, func(p connectortest.Person) bool { return p.UserName == userName })
	for i, g := range s.dir.Groups {
		s.dir.Groups[i].Members = slices.DeleteFunc(g.Members, func(n string) bool { return n == userName })
	}
}

func (s *server) Fail(f connectortest.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Status == http.StatusInternalServerError {
		f.Times *= 2 // it is asked for once more
	}
	if f.Times == 0 {
		f.Times = 1 << 20
	}
	s.failures = append(s.failures, &f)
}

func (s *server) Attributes() connectortest.Attributes {
	return connectortest.Attributes{UserName: "userName", Email: "email", GroupName: "displayName"}
}

func (s *server) Lists() connectortest.Lists {
	return connectortest.Lists{OneOfPeople: true, Teams: true, OneAnswer: true}
}

// ServeHTTP answers a request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+token {
		refuse(w, http.StatusUnauthorized, "the token is not known")
		return
	}
	path, _ := strings.CutPrefix(r.URL.EscapedPath(), "/scim/v2/")
	kind, id, one := strings.Cut(path, "/")
	switch {
	case path == "ServiceProviderConfig":
		s.answer(w, r, map[string]any{"pagination": map[string]any{"cursor": s.cursors}})
	case s.fails(w, r, kind, id):
	case one:
		s.single(w, r, kind, id)
	case kind == "Users":
		s.list(w, r, protocol.NewUserType(), s.users())
	case kind == "Groups":
		s.list(w, r, protocol.NewGroupType(), s.groups())
	default:
		refuse(w, http.StatusNotFound, "no such endpoint")
	}
}

// fails answers with a failure that was asked for, or with a permission that lacks.
func (s *server) fails(w http.ResponseWriter, r *http.Request, kind, id string) bool {
	members := id != "" && r.URL.Query().Get("attributes") == "members"
	if kind == "Users" && (s.refuses == connectors.Users || s.refuses == connectors.Assignments) || members && s.refuses == connectors.Members {
		refuse(w, http.StatusForbidden, "the token may not read this")
		return true
	}
	page := 1
	if id == "" {
		start, _ := strconv.Atoi(r.URL.Query().Get("startIndex") + r.URL.Query().Get("cursor"))
		page = max(start, 1)/connectortest.PageSize + 1
	}
	for _, f := range s.failures {
		hit := false
		switch f.Kind {
		case connectors.Members:
			hit = members && r.URL.Path == "/scim/v2/Groups/"+s.ObjectID(f.Group)
		case connectors.Teams:
			hit = kind == "Groups" && id == ""
		case connectors.Users, connectors.Assignments:
			hit = kind == "Users" && id == ""
		}
		if hit && page == f.Page && f.Times > 0 {
			f.Times--
			if f.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
			}
			refuse(w, f.Status, "not now")
			return true
		}
	}
	return false
}

func (s *server) single(w http.ResponseWriter, r *http.Request, kind, _ string) {
	all := s.users()
	if kind == "Groups" {
		all = s.groups()
	}
	_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/scim/v2/"), "/")
	for _, one := range all {
		if one["id"] == id {
			s.answer(w, r, one)
			return
		}
	}
	refuse(w, http.StatusNotFound, "no such resource")
}

func (s *server) list(w http.ResponseWriter, r *http.Request, typ *protocol.ResourceType, all []protocol.Resource) {
	q := r.URL.Query()
	if text := q.Get("filter"); text != "" {
		f, err := protocol.ParseFilter(typ, text)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		all = slices.DeleteFunc(all, func(one protocol.Resource) bool { return !protocol.Match(f, one) })
	}
	if q.Has("cursor") && !s.cursors || q.Has("cursor") == q.Has("startIndex") {
		refuse(w, http.StatusBadRequest, "cursor or startIndex")
		return
	}
	start, _ := strconv.Atoi(q.Get("startIndex") + q.Get("cursor"))
	from := min(max(start, 1)-1, len(all))
	to := min(from+connectortest.PageSize, len(all))
	body := map[string]any{"totalResults": len(all), "Resources": all[from:to]}
	if q.Has("cursor") && to < len(all) {
		body["nextCursor"] = strconv.Itoa(to + 1)
	}
	s.answer(w, r, body)
}

func (s *server) users() (all []protocol.Resource) {
	for _, p := range s.dir.People {
		kind := "other"
		for _, g := range s.dir.Groups {
			if p.Assigned || g.Assigned && slices.Contains(g.Members, p.UserName) {
				kind = "app"
			}
		}
		one := protocol.Resource{"id": s.ObjectID(p.UserName), "userName": p.UserName, "userType": kind, "emails": []any{
			map[string]any{"value": "home." + p.Email, "type": "home", "primary": true}, map[string]any{"value": p.Email, "type": "work"},
		}}
		if p.Disabled {
			one["active"] = false
		}
		all = append(all, one)
	}
	return all
}

func (s *server) groups() (all []protocol.Resource) {
	for _, g := range s.dir.Groups {
		one := protocol.Resource{"id": s.ObjectID(g.Name), "displayName": g.Name}
		if g.Assigned {
			one["externalId"] = g.Name
		}
		members := []any{map[string]any{"value": s.ObjectID("nested"), "type": "Group"}}
		for _, m := range g.Members {
			members = append(members, map[string]any{"value": s.ObjectID(m)})
		}
		one["members"] = members
		all = append(all, one)
	}
	return all
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, body map[string]any) {
	if s.edit != nil {
		s.edit(r, body)
	}
	w.Header().Set("Content-Type", "application/scim+json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":%q}`, status, detail)
}

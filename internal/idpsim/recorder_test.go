package idpsim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sent is one request that the recorder got.
type sent struct {
	method, path, query string
	header              http.Header
	body                map[string]any
}

func (s sent) String() string { return s.method + " " + s.path + s.query }

// recorder is a small SCIM server that keeps what it is sent, and every request.
type recorder struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	made     int
	users    map[string]map[string]any
	groups   map[string]map[string]any
	members  map[string]map[string]bool
	requests []sent
	refuse   func(s sent) int // a status to answer instead, or 0
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{
		t: t, users: map[string]map[string]any{}, groups: map[string]map[string]any{}, members: map[string]map[string]bool{},
	}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

// take returns the requests since the last call.
func (r *recorder) take() []sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.requests
	r.requests = nil
	return out
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := sent{method: req.Method, path: req.URL.Path, query: req.URL.RawQuery, header: req.Header}
	if s.query != "" {
		q, _ := url.QueryUnescape(s.query)
		s.query = "?" + q
	}
	if raw, _ := io.ReadAll(req.Body); len(raw) > 0 {
		if err := json.Unmarshal(raw, &s.body); err != nil {
			r.t.Errorf("%s: %v", s, err)
		}
	}
	r.requests = append(r.requests, s)
	if r.refuse != nil {
		if status := r.refuse(s); status != 0 {
			answerSCIM(w, status, map[string]any{"detail": "refused", "status": fmt.Sprint(status)})
			return
		}
	}
	status, body := r.serve(s)
	answerSCIM(w, status, body)
}

func answerSCIM(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (r *recorder) serve(s sent) (int, map[string]any) {
	kind, id, _ := strings.Cut(strings.TrimLeft(s.path, "/"), "/")
	all := map[string]map[string]map[string]any{"Users": r.users, "Groups": r.groups}[kind]
	if id != "" && all[id] == nil {
		return http.StatusNotFound, map[string]any{"detail": "not found", "status": "404"}
	}
	switch {
	case s.method == http.MethodGet && id == "":
		return r.find(all, s.query)
	case s.method == http.MethodGet:
		return http.StatusOK, all[id]
	case s.method == http.MethodPost:
		return r.create(kind, all, s.body)
	case s.method == http.MethodPut:
		s.body["id"] = id
		all[id] = s.body
		return http.StatusOK, s.body
	case s.method == http.MethodPatch:
		r.patch(kind, id, all[id], s.body)
		return http.StatusNoContent, nil
	case s.method == http.MethodDelete:
		delete(all, id)
		delete(r.members, id)
		return http.StatusNoContent, nil
	}
	return http.StatusNotImplemented, nil
}

var eqFilter = regexp.MustCompile(`filter=(\w+) eq "(.*)"(&startIndex=1&count=100)?$`)

func (r *recorder) find(all map[string]map[string]any, query string) (int, map[string]any) {
	m := eqFilter.FindStringSubmatch(query)
	if m == nil {
		r.t.Errorf("filter %q", query)
		return http.StatusBadRequest, nil
	}
	found := []map[string]any{}
	for _, res := range all {
		if strings.EqualFold(fmt.Sprint(res[m[1]]), m[2]) {
			found = append(found, res)
		}
	}
	return http.StatusOK, map[string]any{"totalResults": len(found), "Resources": found}
}

func (r *recorder) create(kind string, all map[string]map[string]any, body map[string]any) (int, map[string]any) {
	for _, res := range all {
		if kind == "Users" && strings.EqualFold(fmt.Sprint(res["userName"]), fmt.Sprint(body["userName"])) {
			return http.StatusConflict, map[string]any{"detail": "taken", "scimType": "uniqueness"}
		}
	}
	r.made++
	id := fmt.Sprintf("%s-%d", strings.ToLower(kind[:1]), r.made)
	body["id"] = id
	all[id] = body
	r.members[id] = map[string]bool{}
	r.setMembers(id, body["members"], true)
	return http.StatusCreated, body
}

var memberPath = regexp.MustCompile(`^members\[value eq "(.*)"\]$`)

func (r *recorder) patch(kind, id string, res, body map[string]any) {
	ops, _ := body["Operations"].([]any)
	for _, o := range ops {
		op, _ := o.(map[string]any)
		path, _ := op["path"].(string)
		remove := strings.EqualFold(fmt.Sprint(op["op"]), "remove")
		switch m := memberPath.FindStringSubmatch(path); {
		case m != nil && remove:
			delete(r.members[id], m[1])
		case path == "members" && kind == "Groups":
			if op["op"] == "replace" {
				clear(r.members[id])
			}
			r.setMembers(id, op["value"], !remove)
		case path == "":
			values, _ := op["value"].(map[string]any)
			for k, v := range values {
				res[k] = v
			}
		default:
			set(res, path, op["value"])
		}
	}
}

func (r *recorder) setMembers(group string, list any, in bool) {
	values, _ := list.([]any)
	for _, v := range values {
		entry, _ := v.(map[string]any)
		member := fmt.Sprint(entry["value"])
		if in {
			r.members[group][member] = true
		} else {
			delete(r.members[group], member)
		}
	}
}

func set(res map[string]any, path string, value any) {
	if s, ok := value.(string); ok && path == "active" {
		value = s == "True"
	}
	if rest, ok := strings.CutPrefix(path, "name."); ok {
		if res["name"] == nil {
			res["name"] = map[string]any{}
		}
		name, _ := res["name"].(map[string]any)
		name[rest] = value
		return
	}
	if path == `emails[type eq "work"].value` {
		res["emails"] = []any{map[string]any{"type": "work", "value": value}}
		return
	}
	res[path] = value
}

// people lists the userNames that are active, sorted.
func (r *recorder) people() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, u := range r.users {
		if u["active"] == true {
			out = append(out, fmt.Sprint(u["userName"]))
		}
	}
	slices.Sort(out)
	return out
}

// teams maps display names to the userNames of active members, sorted.
func (r *recorder) teams() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string][]string{}
	for id, g := range r.groups {
		names := []string{}
		for m := range r.members[id] {
			if r.users[m] == nil {
				r.t.Errorf("member %s is no user", m)
			} else if r.users[m]["active"] == true {
				names = append(names, fmt.Sprint(r.users[m]["userName"]))
			}
		}
		slices.Sort(names)
		out[fmt.Sprint(g["displayName"])] = names
	}
	return out
}

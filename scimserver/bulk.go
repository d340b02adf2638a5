package scimserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// bulkSupport is what the service announces of bulk requests, and keeps to.
func (s *Server) bulkSupport() scim.BulkSupport {
	return scim.BulkSupport{
		Supported: true, MaxOperations: scim.MaxBulkOperations, MaxPayloadSize: int(min(s.limits.body, scim.MaxBulkPayload)),
	}
}

// bulk is POST /Bulk (RFC 7644, section 3.7). Each operation is a write of its own, with a row of its own in the request
// log: the RFC asks for no more, and one that fails undoes none of the others.
func (x *exchange) bulk() error {
	limit := int64(x.s.bulkSupport().MaxPayloadSize)
	if err := x.readUpTo(limit, "The size of the bulk operation exceeds the maxPayloadSize (%d)."); err != nil {
		return err
	}
	request, err := scim.ParseBulk(x.body)
	if err != nil {
		return err
	}
	job := newBulkJob(x, request)
	job.run()
	body, err := json.Marshal(job.response())
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	a := answer{status: http.StatusOK, body: body}
	x.logFailure(a, job.summary(), "") // on its own, like a failure: its operations are written
	x.send(a)
	return nil
}

// bulkJob is a bulk request on its way.
type bulkJob struct {
	x       *exchange
	request scim.BulkRequest
	byID    map[string]int    // bulkId to the POST that has it
	ids     map[string]string // bulkId to the id of the resource made
	state   []bulkState
	results []scim.BulkResult
	open    []deferral
	failed  int
}

type bulkState byte

const (
	bulkWaiting bulkState = iota
	bulkStarted
	bulkDone
)

// deferral is what of a POST has to wait until the resources that it refers to are there: those of a circle.
type deferral struct {
	at     int // of the POST
	id     string
	fields map[string]any
}

func newBulkJob(x *exchange, request scim.BulkRequest) *bulkJob {
	j := &bulkJob{
		x: x, request: request, byID: map[string]int{}, ids: map[string]string{},
		state: make([]bulkState, len(request.Operations)), results: make([]scim.BulkResult, len(request.Operations)),
	}
	for i := range request.Operations {
		if op := &request.Operations[i]; op.Method == http.MethodPost && op.Err == nil {
			j.byID[op.BulkID] = i
		}
	}
	return j
}

// run carries out the operations in their order, but for those that others refer to, which come before them.
func (j *bulkJob) run() {
	for i := range j.request.Operations {
		if j.stopped() {
			return
		}
		j.visit(i)
		j.settle()
	}
}

// stopped reports whether there were as many errors as the client accepts.
func (j *bulkJob) stopped() bool {
	return j.request.FailOnErrors > 0 && j.failed >= j.request.FailOnErrors
}

// visit carries out one operation, and before it those that it refers to. A reference back to one that has begun already
// closes a circle, and is deferred.
func (j *bulkJob) visit(i int) {
	if j.state[i] != bulkWaiting {
		return
	}
	j.state[i] = bulkStarted
	op := &j.request.Operations[i]
	var refs []string
	if op.Err == nil {
		refs = op.References()
	}
	for _, ref := range refs {
		if at, known := j.byID[ref]; known {
			j.visit(at)
			if j.stopped() {
				j.state[i] = bulkWaiting // it is not begun any more
				return
			}
		}
	}
	j.results[i] = j.carryOut(i, op, refs)
	j.state[i] = bulkDone
	if j.results[i].Err != nil {
		j.failed++
	}
}

// carryOut does one operation of which all references that can be resolved are.
func (j *bulkJob) carryOut(i int, op *scim.BulkOperation, refs []string) scim.BulkResult {
	out := scim.BulkResult{Method: op.Method, BulkID: op.BulkID}
	fail := func(e *scim.Error) scim.BulkResult {
		out.Status, out.Err = e.Status, e
		if op.Method != http.MethodPost && out.Location == "" && !strings.Contains(op.Path, "bulkId:") {
			out.Location = j.location(op.Path) // a result has one unless it is that of a POST (RFC 7644, section 3.7)
		}
		return out
	}
	if op.Err != nil {
		return fail(op.Err)
	}
	circular := false
	for _, ref := range refs {
		at, known := j.byID[ref]
		switch {
		case !known:
			return fail(scim.InvalidValue("no operation of the request has the bulkId %s", clip(ref)))
		case j.ids[ref] != "":
		case j.state[at] == bulkStarted && op.Method == http.MethodPost && at != i:
			circular = true
		case j.state[at] == bulkStarted:
			return fail(scim.NewError(http.StatusConflict, "bulkId %s refers to itself", clip(ref)))
		default:
			return fail(scim.NewError(http.StatusConflict, "the operation with the bulkId %s failed", clip(ref)))
		}
	}
	now, later := op.Resolve(j.ids), map[string]any(nil)
	if circular {
		now, later = op.Defer(j.ids)
	}
	made, err := j.write(i, now)
	if err != nil {
		if op.Method != http.MethodPost {
			out.Location = j.location(now.Path)
		}
		return fail(err)
	}
	out.Status, out.Location = made.status, made.location
	if out.Location == "" {
		out.Location = j.location(now.Path)
	}
	if made.version != 0 {
		out.Version = etag(made.version)
	}
	if op.Method == http.MethodPost {
		id := made.location[strings.LastIndexByte(made.location, '/')+1:]
		j.ids[op.BulkID] = id
		if len(later) > 0 {
			j.open = append(j.open, deferral{i, id, later})
		}
	}
	return out
}

// settle gives the resources of a circle what had to wait, once everything that it refers to is there. What can't be
// given is told as the failure of the operation, whose resource stays as it is (RFC 7644, section 3.7.1).
func (j *bulkJob) settle() {
	open := j.open
	j.open = nil
	for _, d := range open {
		post := j.request.Operations[d.at]
		patch := scim.BulkOperation{
			Method: http.MethodPatch, Path: strings.TrimRight(post.Path, "/") + "/" + d.id,
			Data: map[string]any{"Operations": []any{map[string]any{"op": "add", "value": d.fields}}},
		}
		patch = patch.Resolve(j.ids)
		result := &j.results[d.at]
		if refs := patch.References(); len(refs) > 0 {
			result.Err = scim.NewError(http.StatusConflict,
				"made without %s: the operation with the bulkId %s failed", strings.Join(keysOf(d.fields), ", "), clip(refs[0]))
		} else if made, err := j.write(d.at, patch); err != nil {
			result.Err = err
		} else if made.version != 0 {
			result.Version = etag(made.version)
		}
		if result.Err != nil {
			result.Status = result.Err.Status
			j.failed++
		}
	}
}

func keysOf(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// location is the address of what an operation other than POST names.
func (j *bulkJob) location(path string) string {
	kind, id, ok := bulkTarget(path)
	if !ok || id == "" {
		return ""
	}
	return j.x.base + "/" + kind + "/" + url.PathEscape(id)
}

// bulkTarget takes an operation's path apart: relative to the service's root, or with it.
func bulkTarget(path string) (kind, id string, ok bool) {
	u, err := url.Parse(path)
	if err != nil {
		return "", "", false
	}
	parts := strings.FieldsFunc(u.EscapedPath(), func(r rune) bool { return r == '/' })
	if _, rest, based := splitPath(u.EscapedPath()); based {
		parts = rest
	}
	if len(parts) == 2 {
		if id, err = url.PathUnescape(parts[1]); err != nil {
			return "", "", false
		}
	}
	if len(parts) == 0 || len(parts) > 2 {
		return "", "", false
	}
	return parts[0], id, true
}

// bulkWrite makes the write that an operation asks for.
type bulkWrite func(*exchange, scim.Projection) (write, error)

// bulkRoute finds what a method does at an address.
func (s *Server) bulkRoute(op scim.BulkOperation) (do bulkWrite, t *scim.ResourceType, id string, err *scim.Error) {
	kind, id, ok := bulkTarget(op.Path)
	routes := map[string]map[string]bulkWrite{
		"Users": {
			"POST": (*exchange).userCreation, "PUT": (*exchange).userReplacement,
			"PATCH": (*exchange).userPatch, "DELETE": (*exchange).userDeletion,
		},
		"Groups": {
			"POST": (*exchange).groupCreation, "PUT": (*exchange).groupReplacement,
			"PATCH": (*exchange).groupPatch, "DELETE": (*exchange).groupDeletion,
		},
	}
	if !ok || routes[kind] == nil {
		return nil, nil, "", scim.NewError(http.StatusNotFound, "there is nothing at %s: bulk operations are on /Users and /Groups", clip(op.Path))
	}
	switch {
	case op.Method == http.MethodPost && id != "":
		return nil, nil, "", scim.InvalidSyntax("POST is on an endpoint such as /Users, not on a resource")
	case op.Method != http.MethodPost && id == "":
		return nil, nil, "", scim.InvalidSyntax("%s is on a resource such as /Users/{id}, not on an endpoint", op.Method)
	}
	t = s.users
	if kind == "Groups" {
		t = s.groups
	}
	return routes[kind][op.Method], t, id, nil
}

// write carries out an operation as a request of its own that is part of this one. The answer holds no more of the
// resource than the response to a bulk request needs.
func (j *bulkJob) write(i int, op scim.BulkOperation) (answer, *scim.Error) {
	do, t, id, refusal := j.x.s.bulkRoute(op)
	sub, err := j.part(i, op, id)
	if err == nil && refusal != nil {
		err = refusal
	}
	var made answer
	if err == nil {
		p := scim.ParseProjection(t, nil, nil)
		if op.Method != http.MethodPatch {
			p = scim.ParseProjection(t, []string{"id"}, nil)
		}
		var w write
		if w, err = do(sub, p); err == nil {
			made, _, err = sub.write(w)
		}
	}
	if err == nil {
		return made, nil
	}
	told, detail := sub.tell(err)
	body, err := json.Marshal(told)
	if err != nil { // two strings and a number encode
		body = []byte("{}")
	}
	sub.logFailure(answer{status: told.Status, body: body}, sentences(detail, sub.part), "")
	return answer{}, told
}

// part is the exchange of one operation.
func (j *bulkJob) part(i int, op scim.BulkOperation, id string) (*exchange, error) {
	x := j.x
	r := x.r.Clone(x.r.Context())
	r.Method = op.Method
	if root, ok := strings.CutSuffix(strings.TrimRight(x.r.URL.Path, "/"), "/Bulk"); ok {
		r.URL = &url.URL{Path: root + "/" + strings.TrimLeft(op.Path, "/")}
		if kind, id, ok := bulkTarget(op.Path); ok {
			r.URL.Path = strings.TrimRight(root+"/"+kind+"/"+id, "/")
		}
	}
	r.Header.Del("If-Match")
	r.Header.Del("If-None-Match")
	if op.Version != "" {
		r.Header.Set("If-Match", op.Version)
	}
	sub := &exchange{
		s: x.s, w: x.w, r: r, began: time.Now(), id: roster.NewID(), base: x.base, arg: id, query: url.Values{},
		token: x.token, org: x.org, part: fmt.Sprintf("operation %d of the bulk request %s", i+1, x.id),
	}
	sub.given = []byte{}
	if op.Data == nil {
		return sub, nil
	}
	var err error
	if sub.given, err = json.Marshal(op.Data); err != nil {
		return sub, fmt.Errorf("encode operation %d: %w", i+1, err)
	}
	return sub, nil
}

// response has the results of what was carried out, in the order of the request.
func (j *bulkJob) response() scim.BulkResponse {
	out := scim.BulkResponse{Operations: []scim.BulkResult{}}
	for i, state := range j.state {
		if state == bulkDone {
			out.Operations = append(out.Operations, j.results[i])
		}
	}
	return out
}

func (j *bulkJob) summary() string {
	done := 0
	for _, state := range j.state {
		if state == bulkDone {
			done++
		}
	}
	return fmt.Sprintf("%d of %d operations carried out, %d of them failed", done, len(j.state), j.failed)
}

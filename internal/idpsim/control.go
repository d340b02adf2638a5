package idpsim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// simulated is what the control surface needs of a tenant.
type simulated interface {
	http.Handler
	about() object
	rules() *faults
	Version() int
	Requests() map[string]int
	ResetRequests()
	LagBehind(changes, every int)
	CatchUp(changes int)
	Replica() ReplicaState
	// mutate carries out one change and returns the id of what it made or altered.
	mutate(m Mutation) (id string, err error)
	// wanted is the oracle: who should have an account, and the teams; ordered by id.
	wanted() ([]Wanted, []Team)
	// why says of one person whether they should have an account, and what speaks for it.
	why(key string) (Verdict, error)
	// dump writes everything that the directory holds now.
	dump(w *jsonStream) error
	push(ctx context.Context, o PushOrder) (any, error)
}

// Wanted is a person who should have an account, in the words of SCIM.
type Wanted struct {
	ID          string `json:"id"`
	UserName    string `json:"userName"`
	Email       string `json:"email,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	GivenName   string `json:"givenName,omitempty"`
	FamilyName  string `json:"familyName,omitempty"`
}

// Verdict says whether one person should have an account.
type Verdict struct {
	ID      string `json:"id"`
	Desired bool   `json:"desired"`
	Enabled bool   `json:"enabled"`
	// Through are what assigns them: their own id, and the ids of groups.
	Through []string `json:"through"`
}

// PushOrder is what is asked of the push engine. Without words it is a cycle.
type PushOrder struct {
	Initial    bool     `json:"initial,omitempty"`    // everything, changed or not
	Miss       []string `json:"miss,omitempty"`       // lose the next change of these ids, and send nothing now
	Quarantine string   `json:"quarantine,omitempty"` // Entra: send nothing from now on, for this reason
	Lift       bool     `json:"lift,omitempty"`       // Entra: end the quarantine
}

var (
	errNoPusher = errors.New("nothing is pushed to: start with --push-to")
	errOrder    = errors.New("not understood")
)

// Control serves a tenant, and below /_sim/ what steers it: see docs/idpsim.md. push may be nil.
func Control(t *Tenant, push *Pusher) http.Handler { return controlled(&entraControl{t, push}) }

// OktaControl serves an Okta tenant, and below /_sim/ what steers it: see docs/idpsim.md. push may be nil.
func OktaControl(t *OktaTenant, push *OktaPusher) http.Handler {
	return controlled(&oktaControl{t, push})
}

// ListenWith serves a handler on addr until Close.
func ListenWith(addr string, h http.Handler) (*Server, error) { return listen(addr, h) }

type control struct{ sim simulated }

func controlled(sim simulated) http.Handler {
	c := &control{sim}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(r *http.Request) (any, error){
		"GET /_sim/{$}":             func(*http.Request) (any, error) { return c.overview(), nil },
		"GET /_sim/faults":          func(*http.Request) (any, error) { return sim.rules().list(), nil },
		"POST /_sim/faults":         c.addFaults,
		"PUT /_sim/faults":          c.setFaults,
		"DELETE /_sim/faults":       func(*http.Request) (any, error) { sim.rules().clear(); return nil, nil },
		"PUT /_sim/faults/{id}":     c.putFault,
		"DELETE /_sim/faults/{id}":  c.dropFault,
		"GET /_sim/requests":        func(*http.Request) (any, error) { return sim.Requests(), nil },
		"DELETE /_sim/requests":     func(*http.Request) (any, error) { sim.ResetRequests(); return nil, nil },
		"POST /_sim/mutate":         c.mutate,
		"GET /_sim/lag":             func(*http.Request) (any, error) { return sim.Replica(), nil },
		"PUT /_sim/lag":             c.lag,
		"POST /_sim/lag/advance":    c.advance,
		"DELETE /_sim/lag":          func(*http.Request) (any, error) { sim.CatchUp(0); return nil, nil },
		"GET /_sim/oracle/{person}": func(r *http.Request) (any, error) { return sim.why(r.PathValue("person")) },
		"POST /_sim/push":           c.push,
	} {
		mux.Handle(pattern, answering(h))
	}
	mux.HandleFunc("GET /_sim/oracle", c.oracle)
	mux.HandleFunc("GET /_sim/snapshot", c.snapshot)
	mux.Handle("/_sim/", answering(func(r *http.Request) (any, error) {
		return nil, fmt.Errorf("%s %s: %w: GET /_sim/ lists what there is", r.Method, r.URL.Path, ErrNotFound)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/_sim"):
			sim.ServeHTTP(w, r)
		case r.Header.Get("Origin") != "": // the surface asks for no password: no web page may steer it through a browser
			complain(w, http.StatusForbidden, errors.New("the control surface is not for web pages"), nil)
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// partial is an error beside what was done before it.
type partial struct {
	done any
	error
}

func (p partial) Unwrap() error { return p.error }

func answering(h func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
		out, err := h(r)
		var p partial
		switch {
		case err == nil && out == nil:
			w.WriteHeader(http.StatusNoContent)
		case err == nil:
			sendJSON(w, http.StatusOK, out)
		case errors.As(err, &p):
			complain(w, controlStatus(err), err, p.done)
		default:
			complain(w, controlStatus(err), err, nil)
		}
	})
}

func controlStatus(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrConflict), errors.Is(err, errNoPusher):
		return http.StatusConflict
	case errors.Is(err, errPushing):
		return http.StatusBadGateway
	}
	return http.StatusBadRequest
}

func complain(w http.ResponseWriter, status int, err error, done any) {
	body := object{"error": err.Error()}
	if done != nil {
		body["applied"] = done
	}
	sendJSON(w, status, body)
}

func sendJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(body) // the client is gone: nobody is left to tell
}

// readOrder reads a body of JSON; an empty one leaves into as it is.
func readOrder(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the request: %w", err)
	}
	return nil
}

// several reads a body that is one value or an array of them.
func several[T any](r *http.Request) ([]T, error) {
	var raw json.RawMessage
	if err := readOrder(r, &raw); err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("the body is empty: %w", errOrder)
	}
	if raw[0] != '[' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	var out []T
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return out, nil
}

func (c *control) overview() object {
	out := c.sim.about()
	out["version"], out["lag"], out["faults"] = c.sim.Version(), c.sim.Replica(), c.sim.rules().list()
	out["fault_kinds"] = append([]string{"400 to 599"}, FaultKinds()...)
	out["mutations"] = mutations()
	out["control"] = []string{
		"GET POST PUT DELETE /_sim/faults", "PUT DELETE /_sim/faults/{id}", "GET DELETE /_sim/requests", "POST /_sim/mutate",
		"GET PUT DELETE /_sim/lag", "POST /_sim/lag/advance", "GET /_sim/oracle", "GET /_sim/oracle/{person}",
		"GET /_sim/snapshot", "POST /_sim/push",
	}
	return out
}

func (c *control) addFaults(r *http.Request) (any, error) {
	rules, err := several[Rule](r)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if _, err := rule.Compile(); err != nil {
			return nil, err
		}
	}
	for i := range rules {
		if rules[i], err = c.sim.rules().put(rules[i]); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

func (c *control) setFaults(r *http.Request) (any, error) {
	rules, err := several[Rule](r)
	if err != nil {
		return nil, err
	}
	if err := c.sim.rules().replace(rules); err != nil {
		return nil, err
	}
	return c.sim.rules().list(), nil
}

func (c *control) putFault(r *http.Request) (any, error) {
	rules, err := several[Rule](r)
	if err != nil {
		return nil, err
	}
	if len(rules) != 1 {
		return nil, fmt.Errorf("%d rules: %w: want one", len(rules), errOrder)
	}
	rules[0].ID = r.PathValue("id")
	return c.sim.rules().put(rules[0])
}

func (c *control) dropFault(r *http.Request) (any, error) {
	id := r.PathValue("id")
	if !c.sim.rules().drop(func(in *injected) bool { return in.id == id }) {
		return nil, fmt.Errorf("fault %s: %w", id, ErrNotFound)
	}
	return nil, nil
}

// lagOrder is the body of PUT /_sim/lag.
type lagOrder struct {
	Changes int `json:"changes"`
	Every   int `json:"every"`
}

func (c *control) lag(r *http.Request) (any, error) {
	o := lagOrder{Every: 1}
	if err := readOrder(r, &o); err != nil {
		return nil, err
	}
	if o.Changes < 0 || o.Every < 1 {
		return nil, fmt.Errorf("%w: changes can't be negative, and every is 1 or more", errOrder)
	}
	c.sim.LagBehind(o.Changes, o.Every)
	return c.sim.Replica(), nil
}

func (c *control) advance(r *http.Request) (any, error) {
	var o struct {
		Changes int `json:"changes"`
	}
	if err := readOrder(r, &o); err != nil {
		return nil, err
	}
	if o.Changes < 0 {
		return nil, fmt.Errorf("%w: a replica goes forward only", errOrder)
	}
	c.sim.CatchUp(o.Changes)
	return c.sim.Replica(), nil
}

func (c *control) push(r *http.Request) (any, error) {
	var o PushOrder
	if err := readOrder(r, &o); err != nil {
		return nil, err
	}
	return c.sim.push(r.Context(), o)
}

// oracle tells who should have an account, and the teams. With limit it tells as many people, after the id in after.
func (c *control) oracle(w http.ResponseWriter, r *http.Request) {
	limit := 0
	if s := r.URL.Query().Get("limit"); s != "" {
		var err error
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 {
			complain(w, http.StatusBadRequest, fmt.Errorf("limit %q: %w: want a number above 0", s, errOrder), nil)
			return
		}
	}
	people, teams := c.sim.wanted()
	total := len(people)
	if after := r.URL.Query().Get("after"); after != "" {
		i, found := slices.BinarySearchFunc(people, after, func(p Wanted, id string) int { return strings.Compare(p.ID, id) })
		if found {
			i++
		}
		people = people[i:]
	}
	if limit > 0 {
		people = people[:min(limit, len(people))]
	}
	s := newJSONStream(w)
	s.field("version", c.sim.Version())
	s.field("total", total)
	streamEach(s, "people", len(people), func(i int) any { return people[i] })
	streamEach(s, "teams", len(teams), func(i int) any {
		return object{"id": teams[i].ObjectID, "displayName": teams[i].DisplayName, "members": append([]string{}, teams[i].Members...)}
	})
	_ = s.end() // the client is gone: nobody is left to tell
}

// snapshot tells everything that the directory holds; with digest, only a digest of it.
func (c *control) snapshot(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("digest") {
		s := newJSONStream(w)
		if c.sim.dump(s) == nil {
			_ = s.end() // the client is gone: nobody is left to tell
		}
		return
	}
	sum := sha256.New()
	s := newJSONStream(sum)
	version := c.sim.Version()
	if err := errors.Join(c.sim.dump(s), s.end()); err != nil {
		complain(w, http.StatusInternalServerError, err, nil)
		return
	}
	sendJSON(w, http.StatusOK, object{"version": version, "sha256": hex.EncodeToString(sum.Sum(nil))})
}

package idpsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule is a Fault as somebody writes it down: in a file, on a command line or over the control surface. As JSON it is an
// object, or a line of text such as "GET /v1.0/users?$skiptoken: 429 after=10 times=3 retry_after=2".
type Rule struct {
	ID string `json:"id,omitempty"` // made when empty
	// Match is a method, or * for any, and a path as in Fault.Path, with or without /v1.0 or /api/v1. What follows a ? must
	// be part of the query.
	Match string `json:"match"`
	// Fault is a status from 400 to 599, or a word: see FaultKinds.
	Fault    word    `json:"fault"`
	After    int     `json:"after,omitempty"`  // let so many pass first
	Times    int     `json:"times,omitempty"`  // strike so often; 0 is without end
	Every    int     `json:"every,omitempty"`  // strike each so-manieth
	Chance   float64 `json:"chance,omitempty"` // of 0 to 1, drawn from the seed
	Eventual bool    `json:"eventual,omitempty"`

	RetryAfter word   `json:"retry_after,omitempty"` // seconds, of a status
	Code       string `json:"code,omitempty"`        // of the error body; of expired: gone or sync_state_not_found
	Message    string `json:"message,omitempty"`
	Status     int    `json:"status,omitempty"`  // of html
	Type       string `json:"type,omitempty"`    // of content_type
	Changes    int    `json:"changes,omitempty"` // of lag: 1 when 0
	Entries    int    `json:"entries,omitempty"` // of duplicate and miss: 1 when 0
	Delay      word   `json:"delay,omitempty"`   // of delay and drip, such as 500ms
	Link       string `json:"link,omitempty"`    // of link
}

// word is a string that may be written as a number.
type word string

// UnmarshalJSON takes a string or a number.
func (t *word) UnmarshalJSON(raw []byte) error {
	var n json.Number
	if err := json.Unmarshal(raw, &n); err == nil {
		*t = word(n)
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return errors.New("want a text or a number")
	}
	*t = word(s)
	return nil
}

// faultKinds are the words for faults, and what each sets.
func faultKinds() map[string]func(r Rule, f *Fault) error {
	some := func(n int) int { return max(n, 1) }
	pause := func(r Rule, into *time.Duration) error {
		if r.Delay == "" {
			r.Delay = "1s"
		}
		d, err := time.ParseDuration(string(r.Delay))
		if err != nil || d <= 0 {
			return fmt.Errorf("delay %q: want a duration such as 500ms", r.Delay)
		}
		*into = d
		return nil
	}
	set := func(do func(r Rule, f *Fault)) func(Rule, *Fault) error {
		return func(r Rule, f *Fault) error { do(r, f); return nil }
	}
	return map[string]func(Rule, *Fault) error{
		"hang":       set(func(_ Rule, f *Fault) { f.Hang = true }),
		"reset":      set(func(_ Rule, f *Fault) { f.Reset = true }),
		"drop":       set(func(_ Rule, f *Fault) { f.Drop = true }),
		"truncate":   set(func(_ Rule, f *Fault) { f.Truncate = true }),
		"html":       set(func(r Rule, f *Fault) { f.HTML, f.Status = true, r.Status }),
		"empty":      set(func(_ Rule, f *Fault) { f.Empty = true }),
		"empty_page": set(func(_ Rule, f *Fault) { f.Blank = true }),
		"last_page":  set(func(_ Rule, f *Fault) { f.DropNextLink = true }),
		"same_link":  set(func(_ Rule, f *Fault) { f.RepeatLink = true }),
		"duplicate":  set(func(r Rule, f *Fault) { f.Shift = -some(r.Entries) }),
		"miss":       set(func(r Rule, f *Fault) { f.Shift = some(r.Entries) }),
		"lag":        set(func(r Rule, f *Fault) { f.Lag = some(r.Changes) }),
		"delay":      func(r Rule, f *Fault) error { return pause(r, &f.Delay) },
		"drip":       func(r Rule, f *Fault) error { return pause(r, &f.Drip) },
		"content_type": func(r Rule, f *Fault) error {
			if f.ContentType = r.Type; r.Type == "" {
				f.ContentType = "text/plain"
			}
			return nil
		},
		"link": func(r Rule, f *Fault) error {
			if f.NextLink = r.Link; r.Link == "" {
				return errors.New("link wants a link")
			}
			return nil
		},
		"expired": func(r Rule, f *Fault) error {
			f.Expired, f.Code = true, ""
			switch r.Code {
			case "", "gone":
			case "sync_state_not_found", "syncStateNotFound":
				f.Expiry = DeltaSyncStateNotFound
			default:
				return fmt.Errorf("code %q: want gone or sync_state_not_found", r.Code)
			}
			return nil
		},
	}
}

// FaultKinds returns the words that a Rule's fault can be, beside a status.
func FaultKinds() []string { return slices.Sorted(maps.Keys(faultKinds())) }

// Compile checks a rule and returns the Fault that it stands for.
func (r Rule) Compile() (Fault, error) {
	method, rest, found := strings.Cut(strings.TrimSpace(r.Match), " ")
	if !found && strings.HasPrefix(method, "/") {
		method, rest = "*", method
	}
	path, query, _ := strings.Cut(strings.TrimSpace(rest), "?")
	f := Fault{
		Method: strings.ToUpper(method), Path: path, Query: query, Eventual: r.Eventual, Skip: r.After, Count: r.Times,
		Every: r.Every, Chance: r.Chance, Code: r.Code, Message: r.Message, RetryAfter: string(r.RetryAfter),
	}
	if f.Method == "*" {
		f.Method = ""
	}
	switch {
	case path == "" || path[0] != '/':
		return f, fmt.Errorf("match %q: want a method and a path, such as GET /v1.0/users; * is any method, /** any path", r.Match)
	case r.After < 0 || r.Times < 0 || r.Every < 0 || r.Chance < 0 || r.Chance > 1:
		return f, errors.New("after, times and every can't be negative, and chance is from 0 to 1")
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return f, fmt.Errorf("status %d: want 200 to 599", r.Status)
	}
	if n, err := strconv.Atoi(string(r.Fault)); err == nil && n >= http.StatusBadRequest && n <= 599 {
		f.Status = n
		return f, nil
	}
	apply := faultKinds()[string(r.Fault)]
	if apply == nil {
		return f, fmt.Errorf("fault %q: want a status from 400 to 599, or one of %s", r.Fault, strings.Join(FaultKinds(), ", "))
	}
	return f, apply(r, &f)
}

// ParseRule reads a rule from a line: "METHOD /path: fault key=value ...". The keys are those of the JSON object.
func ParseRule(line string) (Rule, error) {
	match, rest, found := strings.Cut(line, ": ")
	words := strings.Fields(rest)
	if !found || len(words) == 0 {
		return Rule{}, fmt.Errorf("fault %q: want METHOD /path: fault, such as GET /v1.0/users: 429 times=3 retry_after=2", line)
	}
	fields := map[string]any{"match": match, "fault": words[0]}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		fields[k] = v
		if _, err := strconv.ParseFloat(v, 64); err == nil || v == "true" || v == "false" {
			fields[k] = json.RawMessage(v)
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return Rule{}, fmt.Errorf("fault %q: %w", line, err)
	}
	var r Rule
	if err := r.UnmarshalJSON(raw); err != nil {
		return Rule{}, fmt.Errorf("fault %q: %w", line, err)
	}
	_, err = r.Compile()
	return r, err
}

// UnmarshalJSON takes an object or a line. YAML makes of a line that isn't quoted an object of one entry, {"GET /users":
// "429 times=1"}, which is taken for the line.
func (r *Rule) UnmarshalJSON(raw []byte) error {
	var line string
	var split map[string]word
	if err := json.Unmarshal(raw, &split); err == nil && len(split) == 1 {
		for match, rest := range split {
			if strings.Contains(match, "/") {
				line = match + ": " + string(rest)
			}
		}
	}
	if line != "" || json.Unmarshal(raw, &line) == nil {
		var err error
		*r, err = ParseRule(line)
		return err
	}
	type plain Rule // without this method
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(r)); err != nil {
		return fmt.Errorf("fault rule: %w", err)
	}
	return nil
}

// RuleState is a rule that is in force.
type RuleState struct {
	Rule
	Seen   int `json:"seen"`   // requests that it is for
	Struck int `json:"struck"` // of them
}

// SetRules puts rules in force in the place of all faults.
func (t *Tenant) SetRules(rules ...Rule) error { return t.faults.replace(rules) }

// SetRules puts rules in force in the place of all faults.
func (t *OktaTenant) SetRules(rules ...Rule) error { return t.faults.replace(rules) }

func (f *faults) replace(rules []Rule) error {
	for _, r := range rules {
		if _, err := r.Compile(); err != nil {
			return err
		}
	}
	f.clear()
	for _, r := range rules {
		if _, err := f.put(r); err != nil {
			return err
		}
	}
	return nil
}

// put adds a rule, in the place of the one with its id, and returns it with an id.
func (f *faults) put(r Rule) (Rule, error) {
	fault, err := r.Compile()
	if err != nil {
		return r, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	held := func(i *injected) bool { return i.id != "" && i.id == r.ID }
	f.rules = slices.DeleteFunc(slices.Clone(f.rules), held)
	in := f.add(fault)
	for n := f.added; r.ID == ""; n++ {
		if r.ID = fmt.Sprintf("f%d", n); slices.ContainsFunc(f.rules, held) {
			r.ID = ""
		}
	}
	in.id, in.rule = r.ID, r
	return r, nil
}

// list returns the rules that were written down.
func (f *faults) list() []RuleState {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []RuleState{}
	for _, r := range f.rules {
		if r.id != "" {
			out = append(out, RuleState{Rule: r.rule, Seen: r.seen, Struck: r.struck})
		}
	}
	return out
}

package scim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Schemas of bulk messages (RFC 7644, section 3.7).
const (
	BulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	BulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// Limits on a bulk request (RFC 7644, section 3.7.4). The service announces them in its ServiceProviderConfig.
const (
	MaxBulkOperations = 1_000
	MaxBulkPayload    = 4 << 20 // bytes
)

// BulkRequest is a bulk request as it was sent.
type BulkRequest struct {
	FailOnErrors int // stop after so many errors; 0: never
	Operations   []BulkOperation
}

// BulkOperation is one operation of a bulk request.
type BulkOperation struct {
	Method  string // POST, PUT, PATCH or DELETE
	BulkID  string
	Path    string // relative to the service's root
	Version string // an entity tag; empty: any
	Data    any    // decoded JSON; nil: none
	Err     *Error // what is wrong with the operation itself, which is not to be tried then
}

// ParseBulk reads the body of a bulk request (RFC 7644, section 3.7), names and methods in any case. What is wrong with
// one operation is in its Err; more operations than MaxBulkOperations are a 413.
func ParseBulk(body []byte) (BulkRequest, error) {
	obj, err := decodeObject(body)
	if err != nil {
		return BulkRequest{}, err
	}
	var out BulkRequest
	if given, _ := member(obj, "failOnErrors"); given != nil {
		n, ok := asNumber(Integer, given)
		count, isInt := n.(int64)
		if !ok || !isInt || count < 0 {
			return BulkRequest{}, InvalidValue("failOnErrors must be a whole number, not %s", describe(given))
		}
		out.FailOnErrors = int(min(count, MaxBulkOperations+1))
	}
	given, _ := member(obj, "Operations")
	list, ok := given.([]any)
	switch {
	case !ok || len(list) == 0:
		return BulkRequest{}, InvalidSyntax("Operations must be a list with at least one operation")
	case len(list) > MaxBulkOperations:
		return BulkRequest{}, NewError(http.StatusRequestEntityTooLarge,
			"The bulk operation has %d operations, which exceeds the maxOperations (%d).", len(list), MaxBulkOperations)
	}
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		op := parseBulkOperation(e)
		if op.BulkID != "" && seen[op.BulkID] && op.Err == nil {
			op.Err = InvalidValue("bulkId %s stands twice in the request", quote(op.BulkID))
		}
		seen[op.BulkID] = true
		out.Operations = append(out.Operations, op)
	}
	return out, nil
}

func parseBulkOperation(v any) BulkOperation {
	obj, ok := v.(map[string]any)
	if !ok {
		return BulkOperation{Err: InvalidSyntax("an operation must be an object, not %s", kindOf(v))}
	}
	var op BulkOperation
	text := func(name string) string {
		given, _ := member(obj, name)
		s, ok := given.(string)
		if given != nil && !ok && op.Err == nil {
			op.Err = InvalidSyntax("%s must be a string, not %s", name, kindOf(given))
		}
		return s
	}
	op.Method, op.BulkID, op.Path, op.Version = text("method"), text("bulkId"), text("path"), text("version")
	op.Method = strings.ToUpper(strings.TrimSpace(op.Method))
	op.Data, _ = member(obj, "data")
	if list, ok := op.Data.([]any); ok && op.Method == http.MethodPatch {
		op.Data = map[string]any{"Operations": list} // as the examples of RFC 7644, sections 3.7.1 and 3.7.3, have it
	}
	if op.Err != nil {
		return op
	}
	switch op.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		op.Err = InvalidSyntax("method must be POST, PUT, PATCH or DELETE, not %s", quote(op.Method))
		return op
	}
	_, isObject := op.Data.(map[string]any)
	switch {
	case op.Path == "":
		op.Err = InvalidSyntax("the operation has no path")
	case op.Method == http.MethodPost && op.BulkID == "":
		op.Err = InvalidValue("a POST needs a bulkId")
	case op.Method != http.MethodDelete && !isObject:
		op.Err = InvalidSyntax("%s needs an object as its data, not %s", op.Method, kindOf(op.Data))
	case len(op.BulkID) > KeyMaxBytes:
		op.Err = InvalidValue("bulkId is longer than %d bytes", KeyMaxBytes)
		op.BulkID = ""
	}
	return op
}

// References returns the bulkIds that the operation refers to, in its path and in its data.
func (op *BulkOperation) References() []string {
	var out []string
	seen := map[string]bool{}
	op.resolve(func(id string) (string, bool) {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
		return "", false
	})
	return out
}

// Resolve returns the operation with references to bulkIds replaced by the ids of the resources (RFC 7644, section 3.7.2).
// References that are not in ids are left as they are.
func (op *BulkOperation) Resolve(ids map[string]string) BulkOperation {
	return op.resolve(func(id string) (string, bool) {
		known, ok := ids[id]
		return known, ok
	})
}

// Defer splits the operation's data where it refers to bulkIds that are not in ids: what can be done now, and attributes
// for later, as circular references need it (RFC 7644, section 3.7.1).
func (op *BulkOperation) Defer(ids map[string]string) (now BulkOperation, later map[string]any) {
	now, later = op.Resolve(ids), map[string]any{}
	data, _ := now.Data.(map[string]any)
	kept := make(map[string]any, len(data))
	for k, v := range data {
		open := BulkOperation{Data: v}
		if len(open.References()) > 0 {
			later[k] = v
		} else {
			kept[k] = v
		}
	}
	now.Data = kept
	return now, later
}

func (op *BulkOperation) resolve(id func(string) (string, bool)) BulkOperation {
	out := *op
	out.Path, out.Data = resolveText(op.Path, id), resolveValue(op.Data, id)
	return out
}

// resolveValue copies what it changes, and shares the rest.
func resolveValue(v any, id func(string) (string, bool)) any {
	switch v := v.(type) {
	case string:
		return resolveText(v, id)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = resolveValue(e, id)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = resolveValue(e, id)
		}
		return out
	}
	return v
}

// bulkPrefix marks a reference to a bulkId.
const bulkPrefix = "bulkId:"

// resolveText replaces bulkId:NAME where it is the whole text, a segment of a path, or a string within a filter.
func resolveText(s string, id func(string) (string, bool)) string {
	if !strings.Contains(s, bulkPrefix) {
		return s
	}
	if name, ok := strings.CutPrefix(s, bulkPrefix); ok {
		if known, ok := id(name); ok {
			return known
		}
		return s
	}
	var out strings.Builder
	for {
		at := strings.Index(s, bulkPrefix)
		if at < 0 {
			out.WriteString(s)
			return out.String()
		}
		end := -1
		if at > 0 && (s[at-1] == '/' || s[at-1] == '"') {
			ends := `"`
			if s[at-1] == '/' {
				ends = `/?[`
			}
			if end = strings.IndexAny(s[at:], ends); end < 0 {
				end = len(s) - at
			}
		}
		if end < 0 {
			out.WriteString(s[:at+len(bulkPrefix)])
			s = s[at+len(bulkPrefix):]
			continue
		}
		out.WriteString(s[:at])
		if known, ok := id(s[at+len(bulkPrefix) : at+end]); ok {
			out.WriteString(known)
		} else {
			out.WriteString(s[at : at+end])
		}
		s = s[at+end:]
	}
}

// BulkResult is what became of one operation of a bulk request (RFC 7644, section 3.7).
type BulkResult struct {
	Method   string
	BulkID   string
	Location string // empty only for a POST that failed
	Version  string // the resource's entity tag; empty: none
	Status   int
	Err      *Error // for a status of 300 and more
}

// MarshalJSON encodes the result, in which the status is a string.
func (r BulkResult) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Location string `json:"location,omitempty"`
		Method   string `json:"method"`
		BulkID   string `json:"bulkId,omitempty"`
		Version  string `json:"version,omitempty"`
		Status   string `json:"status"`
		Response *Error `json:"response,omitempty"`
	}{r.Location, r.Method, r.BulkID, r.Version, strconv.Itoa(r.Status), r.Err})
}

// BulkResponse is the answer to a bulk request.
type BulkResponse struct{ Operations []BulkResult }

// MarshalJSON encodes the answer.
func (r BulkResponse) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Schemas    []string     `json:"schemas"`
		Operations []BulkResult `json:"Operations"`
	}{[]string{BulkResponseURN}, r.Operations})
}

package roster

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Attribute paths that a mapping may write. They are spelled as in SCIM (RFC 7643, section 4.1) and as in Entra's
// mapping table.
const (
	AttrUserName    = "userName"
	AttrExternalID  = "externalId"
	AttrDisplayName = "displayName"
	AttrGivenName   = "name.givenName"
	AttrFamilyName  = "name.familyName"
	AttrWorkEmail   = `emails[type eq "work"].value`
)

// Attributes holds a member's SCIM attributes as decoded JSON, by their canonical names. It leaves out what the server
// owns: id, meta, schemas, active, groups, password.
type Attributes map[string]any

// Clone returns a deep copy.
func (a Attributes) Clone() Attributes {
	if a == nil {
		return nil
	}
	out, _ := cloneValue(map[string]any(a)).(map[string]any)
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case Attributes:
		return cloneValue(map[string]any(v))
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = cloneValue(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	}
	return v
}

// Get returns the text at one of the attribute paths, or "" where there is none.
func (a Attributes) Get(path string) string {
	if multi, kind, ok := typedPath(path); ok {
		if e := typedElement(a[multi], kind); e != nil {
			return text(e["value"])
		}
		return ""
	}
	if parent, leaf, ok := subPath(path); ok {
		m, _ := a[parent].(map[string]any)
		return text(m[leaf])
	}
	return text(a[path])
}

// Set writes text at one of the attribute paths; an empty value removes it. It makes what is missing on the way.
func (a Attributes) Set(path, value string) {
	if multi, kind, ok := typedPath(path); ok {
		a.setTyped(multi, kind, value)
		return
	}
	if parent, leaf, ok := subPath(path); ok {
		m, _ := a[parent].(map[string]any)
		if value == "" {
			delete(m, leaf)
			if len(m) == 0 {
				delete(a, parent)
			}
			return
		}
		if m == nil {
			m = map[string]any{}
			a[parent] = m
		}
		m[leaf] = value
		return
	}
	if value == "" {
		delete(a, path)
		return
	}
	a[path] = value
}

func (a Attributes) setTyped(multi, kind, value string) {
	list, _ := a[multi].([]any)
	if e := typedElement(list, kind); e != nil {
		if value != "" {
			e["value"] = value
			return
		}
		list = slices.DeleteFunc(list, func(v any) bool {
			m, _ := v.(map[string]any)
			return strings.EqualFold(text(m["type"]), kind)
		})
		if len(list) == 0 {
			delete(a, multi)
			return
		}
		a[multi] = list
		return
	}
	if value == "" {
		return
	}
	e := map[string]any{"type": kind, "value": value}
	if len(list) == 0 {
		e["primary"] = true
	}
	a[multi] = append(list, e)
}

// subPath splits name.givenName, and an attribute of an extension at the colon after its schema's URN.
func subPath(path string) (parent, leaf string, ok bool) {
	if strings.HasPrefix(path, "urn:") {
		i := strings.LastIndexByte(path, ':')
		return path[:i], path[i+1:], true
	}
	return strings.Cut(path, ".")
}

// typedPath splits `emails[type eq "work"].value` into emails and work.
func typedPath(path string) (multi, kind string, ok bool) {
	multi, rest, ok := strings.Cut(path, `[type eq "`)
	if !ok {
		return "", "", false
	}
	kind, ok = strings.CutSuffix(rest, `"].value`)
	return multi, kind, ok
}

func typedElement(v any, kind string) map[string]any {
	list, _ := v.([]any)
	for _, e := range list {
		if m, _ := e.(map[string]any); m != nil && strings.EqualFold(text(m["type"]), kind) {
			return m
		}
	}
	return nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// Email returns the work email, else the primary one, else the first.
func (a Attributes) Email() string {
	if v := a.Get(AttrWorkEmail); v != "" {
		return v
	}
	list, _ := a["emails"].([]any)
	first := ""
	for _, e := range list {
		m, _ := e.(map[string]any)
		v := text(m["value"])
		if p, _ := m["primary"].(bool); p && v != "" {
			return v
		}
		if first == "" {
			first = v
		}
	}
	return first
}

// Fold returns the key by which userNames, emails and display names are compared: trimmed, NFC, case-folded. Original
// bytes are what is stored and returned; only keys are compared.
func Fold(s string) string { return FoldPart(strings.TrimSpace(s)) }

// FoldPart is Fold for a part of a text, in which white space at the ends counts.
func FoldPart(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return cases.Fold().String(norm.NFC.String(s))
		}
	}
	return strings.ToLower(s)
}

// Values picks the given paths out of the attributes.
func (a Attributes) Values(paths []string) map[string]string {
	out := make(map[string]string, len(paths))
	for _, p := range paths {
		out[p] = a.Get(p)
	}
	return out
}

// Fingerprint digests a set of values under their paths: equal maps give equal bytes, whatever their order. Fingerprints
// are made here only; SQL compares the bytes.
func Fingerprint(values map[string]string) []byte {
	keys := slices.Collect(maps.Keys(values))
	sort.Strings(keys)
	h := sha256.New()
	var n [4]byte
	write := func(s string) {
		binary.BigEndian.PutUint32(n[:], uint32(len(s))) //nolint:gosec // bounded by the request size
		h.Write(n[:])
		h.Write([]byte(s))
	}
	for _, k := range keys {
		write(k)
		write(values[k])
	}
	return h.Sum(nil)[:16]
}

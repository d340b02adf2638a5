package api

import (
	"encoding/base64"
	"net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

const (
	maxName  = 100
	maxEmail = 254
	maxKey   = 256
)

// InPage is a part of the input of every list.
type InPage struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" doc:"how many items a page has at most"`
	After string `query:"after" doc:"the cursor that the page before gave as next"`
}

// list is what the store is asked for. Only what a list itself gave out passes as a cursor.
func (p InPage) list() (store.List, error) {
	if p.After != "" {
		if _, err := p.cursor(); err != nil {
			return store.List{}, err
		}
	}
	return store.List{Limit: p.Limit, After: p.After}, nil
}

// cursor takes a cursor apart: the sort key before the NUL, the id after it.
func (p InPage) cursor() (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || !utf8.Valid(raw) || strings.Count(string(raw), "\x00") != 1 {
		return "", roster.Errorf(roster.Invalid, "after: not a cursor that a list gave out")
	}
	key, _, _ := strings.Cut(string(raw), "\x00")
	return key, nil
}

// pageOf cuts a page out of a list that the store returns whole, sorted by key, which is unique.
func pageOf[T any](p InPage, all []T, key func(*T) string) (items []T, next string, err error) {
	last := ""
	if p.After != "" {
		if last, err = p.cursor(); err != nil {
			return nil, "", err
		}
	}
	items = []T{}
	for i := range all {
		if k := key(&all[i]); p.After != "" && k <= last {
			continue
		}
		if len(items) == p.Limit {
			return items, base64.RawURLEncoding.EncodeToString([]byte(key(&items[len(items)-1]) + "\x00")), nil
		}
		items = append(items, all[i])
	}
	return items, "", nil
}

// mapped turns a page's items into their wire form; the slice is never nil.
func mapped[T, W any](items []T, next string, wire func(*T) W) client.Page[W] {
	out := client.Page[W]{Items: make([]W, len(items)), Next: next}
	for i := range items {
		out.Items[i] = wire(&items[i])
	}
	return out
}

func queryText(raw string) (string, error) { return url.QueryUnescape(raw) }

// isText reports whether every database takes s.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// name checks what a person calls something.
func name(what, given string) (string, error) {
	given = strings.TrimSpace(given)
	switch {
	case given == "":
		return "", roster.Errorf(roster.Invalid, "name: %s needs one", what)
	case utf8.RuneCountInString(given) > maxName:
		return "", roster.Errorf(roster.Invalid, "name: %s may have one of up to %d characters", what, maxName)
	case strings.ContainsFunc(given, unicode.IsControl):
		return "", roster.Errorf(roster.Invalid, "name: it must not have control characters")
	}
	return given, nil
}

// email checks a bare address.
func email(given string) (string, error) {
	given = strings.TrimSpace(given)
	address, err := mail.ParseAddress(given)
	if err != nil || address.Address != given || len(given) > maxEmail || strings.ContainsFunc(given, unicode.IsSpace) {
		return "", roster.Errorf(roster.Invalid, "email: %q is not an e-mail address by itself, such as ada@example.com", given)
	}
	return given, nil
}

var spanForm = regexp.MustCompile(`^([1-9][0-9]{0,5})([mhdw])$`)

// span reads a length of time of up to a century.
func span(given string) (time.Duration, bool) {
	const longest = 100 * 365 * 24 * time.Hour
	units := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	found := spanForm.FindStringSubmatch(given)
	if found == nil {
		return 0, false
	}
	n, _ := strconv.Atoi(found[1]) // digits only
	unit := units[found[2]]
	return time.Duration(n) * unit, n <= int(longest/unit)
}

// expiry reads how long something is valid; the zero time is never.
func (a *API) expiry(given string) (time.Time, error) {
	if given == "never" {
		return time.Time{}, nil
	}
	if length, ok := span(given); ok {
		return a.now().Add(length).UTC().Truncate(time.Second), nil
	}
	return time.Time{}, roster.Errorf(roster.Invalid,
		"expires: %q is not understood; give a number and m, h, d or w, such as 90d, up to 100 years, or never", given)
}

// optionalTime is nil for the zero time.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// optional is nil for empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty is s, or an empty slice for nil.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

package scimserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// cursorTime is for how long a cursor can be used (RFC 9865, section 4).
const cursorTime = time.Hour

// cursor says where a page ended (RFC 9865). It is sealed with the token's hash: only what was given out to this token is
// taken back. Nothing is kept here for it.
type cursor struct {
	Issued int64   `json:"t"` // seconds since 1970
	Count  int     `json:"n"`
	Query  []byte  `json:"q"` // what the query asked for
	Key    *string `json:"k,omitempty"`
	ID     string  `json:"i"`
}

// sealLength is how much of a cursor's seal it carries.
const sealLength = 16

// nextCursor returns the cursor for what is behind a position.
func (x *exchange) nextCursor(l *listing, at store.Position) (string, error) {
	body, err := json.Marshal(cursor{Issued: x.s.now().Unix(), Count: l.count, Query: x.fingerprint(l), Key: at.Key, ID: at.ID})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(x.seal(body), body...)), nil
}

// openCursor reads the cursor of a query.
func (x *exchange) openCursor(l *listing) (*store.Position, error) {
	invalid := scim.InvalidCursor("the cursor is not one that this query was given: begin with an empty one")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(l.Cursor)
	if err != nil || len(raw) <= sealLength || !hmac.Equal(raw[:sealLength], x.seal(raw[sealLength:])) {
		return nil, invalid
	}
	var c cursor
	if err := json.Unmarshal(raw[sealLength:], &c); err != nil {
		return nil, invalid
	}
	if age := x.s.now().Sub(time.Unix(c.Issued, 0)); age > cursorTime {
		return nil, scim.ExpiredCursor("the cursor has expired: it could be used for %v", cursorTime)
	}
	if !hmac.Equal(c.Query, x.fingerprint(l)) {
		return nil, scim.InvalidCursor("the cursor is that of another query: only the cursor may differ from page to page")
	}
	if !l.HasCount {
		l.count = min(c.Count, x.s.limits.maxPage)
	}
	if c.Count != l.count {
		return nil, scim.InvalidCount("count must stay %d, as for the first page", c.Count)
	}
	return &store.Position{Key: c.Key, ID: c.ID}, nil
}

func (x *exchange) seal(body []byte) []byte {
	mac := hmac.New(sha256.New, x.token.Hash)
	mac.Write([]byte("cursor"))
	mac.Write(body)
	return mac.Sum(nil)[:sealLength]
}

// fingerprint digests what must stay the same from page to page: what is asked for, in whatever spelling. The example of
// RFC 9865, section 2, itself writes userName on one page and username on the next.
func (x *exchange) fingerprint(l *listing) []byte {
	h := sha256.New()
	order := "ascending"
	if l.Descending {
		order = "descending"
	}
	parts := []string{x.org.ID, x.token.Connection, order}
	for _, k := range l.kinds {
		parts = append(parts, k.t.Name, k.asked, k.sortedBy)
	}
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, int64(len(p))) // a hash takes everything
		h.Write([]byte(p))
	}
	return h.Sum(nil)[:8]
}

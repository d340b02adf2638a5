package scimserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// stallTime is how long a client may take to read the next piece of a streamed answer. The snapshot behind it is open
// that long, so a client that stops reading must not hold it.
const stallTime = 30 * time.Second

// patient writes to a client that has a while for each piece. The status goes out with the first.
type patient struct {
	w      http.ResponseWriter
	ctl    *http.ResponseController
	status int
	pieces int
}

// Write implements io.Writer. The first piece fits into the buffers on the way, so only further ones can stall.
func (p *patient) Write(b []byte) (int, error) {
	if p.pieces == 0 {
		p.w.WriteHeader(p.status)
	} else {
		_ = p.ctl.SetWriteDeadline(time.Now().Add(stallTime)) // not every ResponseWriter has one
	}
	p.pieces++
	return p.w.Write(b)
}

// done takes the deadline off again: the connection may serve further requests.
func (p *patient) done() {
	if p.pieces > 1 {
		_ = p.ctl.Flush()
		_ = p.ctl.SetWriteDeadline(time.Time{})
	}
}

// stream writes an answer piece by piece. One that fails before its first piece is an error like any other; after it the
// connection is cut, so that no client takes the part for the whole.
func (x *exchange) stream(a answer, write func(*patient) error) error {
	if x.notModified(a) {
		x.send(a)
		return nil
	}
	out := &patient{w: x.w, ctl: http.NewResponseController(x.w), status: a.status}
	x.header(a)
	err := write(out)
	if err == nil || out.pieces == 0 {
		out.done()
		return err
	}
	if x.r.Context().Err() == nil {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelWarn, "SCIM answer cut off", slog.String("request_id", x.id), slog.Any("error", err))
	}
	panic(http.ErrAbortHandler)
}

// flush ends a buffered writer's work unless it has failed already.
func flush(w *bufio.Writer, err error) error {
	if err != nil {
		return err
	}
	return w.Flush()
}

// sendPage writes a list. The members of its groups are read while they are written; without a reader they are left out.
func (x *exchange) sendPage(l *listing, page *store.ScimPage, reader *store.ScimReader) error {
	groups, err := x.groupsOfAll(l, page)
	if err != nil {
		return err
	}
	head := listHead{Schemas: []string{scim.ListResponseURN}, TotalResults: page.Total, ItemsPerPage: len(page.Items), StartIndex: l.StartIndex}
	if l.ByCursor {
		head.StartIndex = 0
		if n := len(page.Items); page.More && n > 0 {
			if head.NextCursor, err = x.nextCursor(l, page.Items[n-1].At); err != nil {
				return err
			}
		}
	}
	return x.stream(answer{status: http.StatusOK}, func(out *patient) error {
		w := bufio.NewWriterSize(out, 32<<10)
		if err := x.writePage(w, l, head, page, groups, reader); err != nil {
			return err
		}
		if out.pieces == 0 { // all of it is still in the buffer
			x.w.Header().Set("Content-Length", strconv.Itoa(w.Buffered()))
		}
		return w.Flush()
	})
}

// listHead is a list without its resources (RFC 7644, section 3.4.2; RFC 9865, section 2).
type listHead struct {
	Schemas      []string `json:"schemas"`
	TotalResults int      `json:"totalResults"`
	StartIndex   int      `json:"startIndex,omitempty"`
	ItemsPerPage int      `json:"itemsPerPage"`
	NextCursor   string   `json:"nextCursor,omitempty"`
}

func (x *exchange) writePage(w *bufio.Writer, l *listing, head listHead, page *store.ScimPage,
	groups map[string][]store.Ref, reader *store.ScimReader,
) error {
	body, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("encode the list: %w", err)
	}
	if _, err := fmt.Fprintf(w, `%s,"Resources":[`, body[:len(body)-1]); err != nil {
		return err
	}
	var teams *groupWriter
	if l.holds(false) {
		teams = x.groupWriter(l.projection(false), w)
		teams.out = w
	}
	for i := range page.Items {
		if i > 0 {
			if err := w.WriteByte(','); err != nil {
				return err
			}
		}
		switch item := &page.Items[i]; {
		case item.Member != nil:
			err = writeJSON(w, l.projection(true).Apply(x.userOf(item.Member, groups[item.Member.ID])))
		case reader != nil:
			err = teams.write(item.Team, x.membersOf(reader, item.Team))
		default:
			err = teams.write(item.Team, nil)
		}
		if err != nil {
			return err
		}
	}
	_, err = w.WriteString("]}")
	return err
}

func writeJSON(w *bufio.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = w.Write(body)
	return err
}

package scimserver

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// commitTime bounds one write, waiting for the database included.
const commitTime = 30 * time.Second

// render makes the answer of a write from its outcome. It may be called again when the transaction is tried again.
type render func(*roster.Outcome) (answer, error)

// write is a change that a request, or an operation of a bulk request, asks for.
type write struct {
	change roster.Change
	render render
}

// commit writes one change, with its answer and the request log's row in the same transaction, and then sends that very
// answer. A client that goes away doesn't stop it half-way.
func (x *exchange) commit(w write) error {
	made, _, err := x.write(w)
	if err != nil {
		return err
	}
	x.send(made)
	return nil
}

func (x *exchange) write(w write) (answer, roster.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), commitTime)
	defer cancel()
	var made answer
	cause := roster.Cause{
		Actor:          roster.Actor{Kind: roster.ActorToken, ID: x.token.ID, Name: x.token.Name},
		Reason:         "SCIM " + x.r.Method,
		Connection:     x.token.Connection,
		ConnectionName: x.token.ConnectionName,
		By:             roster.ByPush,
		RequestID:      x.id,
		Atomic:         true,
		Respond: func(outs []roster.Outcome) (*roster.Request, error) {
			var err error
			if made, err = w.render(&outs[0]); err != nil {
				return nil, err
			}
			row := x.logRow(made, sentences(made.detail, x.part))
			return &row, nil
		},
	}
	outs, err := x.s.roster.Commit(ctx, x.org.ID, cause, []roster.Change{w.change})
	if err != nil {
		return answer{}, roster.Outcome{}, err
	}
	return made, outs[0], nil
}

// sentences joins what there is to say.
func sentences(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// etag renders a version as a weak entity tag (RFC 7644, section 3.14).
func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// noVersion is one that no resource ever has.
const noVersion = -1

// expected reads If-Match (RFC 9110, section 13.1.1, with the weak comparison that RFC 7644, section 3.14 implies): 0 if
// any version will do. current is asked for only when the client names several.
func (x *exchange) expected(current func() (int64, error)) (int64, error) {
	var versions []int64
	for _, header := range x.r.Header.Values("If-Match") {
		for tag := range strings.SplitSeq(header, ",") {
			switch tag = strings.TrimSpace(tag); tag {
			case "":
			case "*":
				return 0, x.noneMatch(current)
			default:
				versions = append(versions, versionOf(tag))
			}
		}
	}
	if err := x.noneMatch(current); err != nil {
		return 0, err
	}
	switch len(versions) {
	case 0:
		return 0, nil
	case 1:
		return versions[0], nil
	}
	now, err := current()
	if err != nil {
		return 0, err
	}
	for _, v := range versions {
		if v == now {
			return v, nil
		}
	}
	return noVersion, nil
}

func versionOf(tag string) int64 {
	text := strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v <= 0 {
		return noVersion
	}
	return v
}

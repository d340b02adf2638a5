package entra

import (
	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// change is what the entries about one user say together.
type change struct {
	removal removal // what the last removal said, if there was one
	gone    bool    // the last entry was a removal
}

// removal is what "@removed" says.
type removal uint8

const (
	unremoved removal = iota
	softDeleted
	deleted
)

// words says a removal for a person to read.
func (r removal) words() string {
	if r == softDeleted {
		return "soft-deleted in the directory"
	}
	return "deleted in the directory"
}

// noteUsers takes a page of changed users. One may come several times; the last entry counts.
func (d *delta) noteUsers(items []models.Userable) error {
	for _, item := range items {
		id, err := entryID(item)
		if err != nil {
			return err
		}
		c := change{removal: d.changed[id].removal}
		if r := removalOf(item.GetAdditionalData()); r != unremoved {
			c.removal, c.gone = r, true
		}
		d.changed[id] = c
	}
	return nil
}

// noteGroups takes a page of changed groups. One may come in several entries, each with some of the members that came or
// went; the last word about a member counts.
func (d *delta) noteGroups(items []models.Groupable) error {
	for _, item := range items {
		id, err := entryID(item)
		if err != nil {
			return err
		}
		group := id.String()
		if whole, assigned := d.whole[group]; !assigned || whole {
			continue
		}
		members, err := memberChanges(item.GetAdditionalData()["members@delta"])
		if err != nil {
			return err
		}
		if d.touched[group] == nil {
			d.touched[group] = map[uuid.UUID]bool{}
		}
		for _, m := range members {
			switch m.kind {
			case "#microsoft.graph.user":
				d.touched[group][m.id] = m.in
			case "": // nothing says whether it is a person, so the list cast to people has to
				d.whole[group] = true
			}
		}
	}
	return nil
}

func entryID(item models.Entityable) (uuid.UUID, error) {
	id, err := objectID(item)
	if err != nil {
		return uuid.UUID{}, err
	}
	return parseID(id)
}

// removalOf reads an entry's "@removed" (Graph documentation, "Use delta query to track changes in Microsoft Graph
// data": changed is restorable, deleted is not). The SDK leaves it among what it does not know.
func removalOf(data map[string]any) removal {
	removed := data["@removed"]
	if removed == nil {
		return unremoved
	}
	if fields, ok := removed.(map[string]any); ok && leaf(fields["reason"]) == "changed" {
		return softDeleted
	}
	return deleted
}

// memberChange is one entry of "members@delta".
type memberChange struct {
	id   uuid.UUID
	kind string
	in   bool
}

// memberChanges reads "members@delta". What cannot be read is an error: overlooked, it would be lost for good.
func memberChanges(data any) ([]memberChange, error) {
	if data == nil {
		return nil, nil
	}
	broken := &connectors.Error{Fault: connectors.Broken, Message: "Graph gave a change of a group's members that cannot be read"}
	entries, ok := data.([]any)
	if !ok {
		return nil, broken
	}
	out := make([]memberChange, 0, len(entries))
	for _, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok {
			return nil, broken
		}
		id, err := parseID(leaf(fields["id"]))
		if err != nil {
			return nil, broken
		}
		out = append(out, memberChange{id: id, kind: leaf(fields["@odata.type"]), in: fields["@removed"] == nil})
	}
	return out, nil
}

// leaf returns a text among what the SDK does not know, which it keeps as a pointer.
func leaf(v any) string {
	switch s := v.(type) {
	case string:
		return s
	case *string:
		return text(s)
	default:
		return ""
	}
}

package storagev1

import (
	"net/http"
	"strings"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

const topicService = "//pubsub.googleapis.com/"

func (h *handler) insertNotification(w http.ResponseWriter, r *http.Request, t target) error {
	var in storage.Notification
	if err := decodeInto(r, &in); err != nil {
		return err
	}
	if in.Topic == "" {
		return required("topic")
	}
	if in.PayloadFormat == "" {
		return required("payload_format")
	}
	n := objects.Notification{Bucket: t.bucket, Topic: in.Topic, NamePrefix: in.ObjectNamePrefix,
		PayloadFormat: in.PayloadFormat, Attributes: in.CustomAttributes}
	for _, e := range in.EventTypes {
		n.EventTypes = append(n.EventTypes, objects.Event(e))
	}
	if h.topic != nil {
		if err := h.topic(r.Context(), strings.TrimPrefix(in.Topic, topicService)); err != nil {
			return sunya.Invalid("topic", "%s: %s", in.Topic, media.Classify(err, false).Message)
		}
	}
	made, err := h.objects.CreateNotification(r.Context(), n)
	if err != nil {
		return err
	}
	return reply(w, r, notification(r, made))
}

func (h *handler) listNotifications(w http.ResponseWriter, r *http.Request, t target) error {
	found, err := h.objects.Notifications(r.Context(), t.bucket)
	if err != nil {
		return err
	}
	out := storage.Notifications{Kind: "storage#notifications"}
	for i := range found {
		out.Items = append(out.Items, notification(r, &found[i]))
	}
	return reply(w, r, &out)
}

func (h *handler) getNotification(w http.ResponseWriter, r *http.Request, t target) error {
	n, err := h.objects.Notification(r.Context(), t.bucket, t.id)
	if err != nil {
		return err
	}
	return reply(w, r, notification(r, n))
}

func (h *handler) deleteNotification(w http.ResponseWriter, r *http.Request, t target) error {
	if err := h.objects.DeleteNotification(r.Context(), t.bucket, t.id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func notification(r *http.Request, n *objects.Notification) *storage.Notification {
	out := &storage.Notification{
		Kind: "storage#notification", Id: n.ID, Etag: n.ID, Topic: topicService + n.Topic, ObjectNamePrefix: n.NamePrefix,
		PayloadFormat: n.PayloadFormat, CustomAttributes: n.Attributes,
		SelfLink: media.Base(r) + "/storage/v1/b/" + n.Bucket + "/notificationConfigs/" + n.ID,
	}
	for _, e := range n.EventTypes {
		out.EventTypes = append(out.EventTypes, string(e))
	}
	return out
}

// decodeInto reads a body with a document of a known shape.
func decodeInto(r *http.Request, to any) error {
	f, err := document(r.Body)
	if err != nil {
		return err
	}
	return f.into(to)
}

func required(field string) error {
	return &sunya.Error{Code: sunya.InvalidArgument, Reason: media.ReasonRequired, Field: field, Message: "required: it is missing"}
}

package event

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// The topics of Notify. NotifyDeliveries carries jobs: what is to be delivered.
// NotifyEvents carries what came of it.
const (
	NotifyDeliveries = "notify:deliveries"
	NotifyEvents     = "notify:events"
)

// GroupDeliveryWorkers deliver.
const GroupDeliveryWorkers = "delivery-workers"

// The types of Notify. NotificationDelivery is not announced to everybody: it is the
// message of a job, and its data a DeliveryJob. The others travel on NotifyEvents: a
// message reached its receiver, nothing more is tried, somebody took note of one, or
// nobody did and others are told; and an endpoint is used no longer, or again. Their data
// is a Notification.
const (
	NotificationDelivery     Type = "notification.delivery"
	NotificationDelivered    Type = "notification.delivered"
	NotificationFailed       Type = "notification.failed"
	NotificationAcknowledged Type = "notification.acknowledged"
	NotificationEscalated    Type = "notification.escalated"
	EndpointDisabled         Type = "notification.endpoint.disabled"
	EndpointEnabled          Type = "notification.endpoint.enabled"
)

// DeliveryJob is the data of notification.delivery.
type DeliveryJob struct {
	Delivery string `json:"delivery_id"`
}

// Encode returns the data as a JSON object.
func (d *DeliveryJob) Encode() ([]byte, error) { return encode(d) }

// DecodeDeliveryJob reads the data of a notification.delivery. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeDeliveryJob(e *Event) (*DeliveryJob, error) {
	d := new(DeliveryJob)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("data of event %.80q: %v: %w", e.ID, err, fault.Invalid)
	}
	if d.Delivery == "" {
		return nil, fmt.Errorf("data of event %.80q: no delivery: %w", e.ID, fault.Invalid)
	}
	return d, nil
}

// Notification is the data of the events on NotifyEvents.
type Notification struct {
	Delivery string `json:"delivery_id,omitempty"` // "" for what is about an endpoint
	Incident string `json:"incident,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	To       string `json:"to,omitempty"`
	Title    string `json:"title,omitempty"`
	Severity string `json:"severity,omitempty"`
	Status   string `json:"status,omitempty"`
	Attempts int    `json:"attempts,omitzero"`
	// Duplicate says that the receiver may have it twice.
	Duplicate bool   `json:"possible_duplicate,omitzero"`
	Reason    string `json:"reason,omitempty"`
	By        string `json:"by,omitempty"`
}

// Encode returns the data as a JSON object.
func (d *Notification) Encode() ([]byte, error) { return encode(d) }

// DecodeNotification reads the data of an event on NotifyEvents. Unknown members are left
// alone. An error wraps ErrInvalid.
func DecodeNotification(e *Event) (*Notification, error) {
	d := new(Notification)
	if err := json.Unmarshal(e.Data, d); err != nil {
		return nil, fmt.Errorf("data of event %.80q: %v: %w", e.ID, err, fault.Invalid)
	}
	return d, nil
}

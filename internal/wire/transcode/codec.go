package transcode

import (
	"errors"
	"log/slog"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// codec is protojson as Google's servers use it: fields that the API does not
// have are accepted. Their names are logged and travel with the message, so
// that a method can tell the user; see Ignored.
type codec struct {
	vanguard.JSONCodec
	log *slog.Logger
}

func newCodec(api string, log *slog.Logger) codec {
	return codec{
		JSONCodec: vanguard.JSONCodec{
			MarshalOptions:   protojson.MarshalOptions{Resolver: protoregistry.GlobalTypes},
			UnmarshalOptions: protojson.UnmarshalOptions{Resolver: protoregistry.GlobalTypes, DiscardUnknown: true},
		},
		log: log.With("api", api),
	}
}

// Unmarshal implements vanguard.Codec.
func (c codec) Unmarshal(data []byte, msg proto.Message) error {
	strict := c.UnmarshalOptions
	strict.DiscardUnknown = false
	if strict.Unmarshal(data, msg) == nil {
		return nil
	}
	spelt, err := spellEnums(msg.ProtoReflect().Descriptor(), data)
	if err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	proto.Reset(msg)
	if spelt != nil {
		data = spelt
		if strict.Unmarshal(data, msg) == nil {
			return nil
		}
		proto.Reset(msg)
	}
	if err := c.UnmarshalOptions.Unmarshal(data, msg); err != nil {
		// The parser quotes what it met, and no Status holds broken UTF-8.
		return connect.NewError(connect.CodeInvalidArgument, errors.New(strings.ToValidUTF8(err.Error(), "\uFFFD")))
	}
	names := unknownFields(msg.ProtoReflect().Descriptor(), data)
	c.log.Warn("unknown fields", "message", string(msg.ProtoReflect().Descriptor().FullName()), "fields", strings.Join(names, " "))
	attach(msg, names)
	return nil
}

// ignoredField is the number of a field that no message has: the last one.
const ignoredField protowire.Number = protowire.MaxValidNumber

// attach puts names into the unknown fields of a message, which survive its
// way to the method as binary protobuf.
func attach(msg proto.Message, names []string) {
	m := msg.ProtoReflect()
	raw := m.GetUnknown()
	for _, name := range names {
		raw = protowire.AppendTag(raw, ignoredField, protowire.BytesType)
		raw = protowire.AppendString(raw, name)
	}
	m.SetUnknown(raw)
}

// Ignored returns the JSON names that msg was sent with and has no fields for.
// msg is what the JSON body was decoded into: the request, or the one field of
// it that is the body.
func Ignored(msg proto.Message) []string {
	var names []string
	raw := msg.ProtoReflect().GetUnknown()
	for len(raw) > 0 {
		num, typ, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return names
		}
		size := protowire.ConsumeFieldValue(num, typ, raw[n:])
		if size < 0 {
			return names
		}
		if num == ignoredField && typ == protowire.BytesType {
			name, _ := protowire.ConsumeString(raw[n:])
			names = append(names, name)
		}
		raw = raw[n+size:]
	}
	return names
}

package http2

import "encoding/binary"

// SettingID names a setting (RFC 9113, 6.5.2).
type SettingID uint16

// The settings that mean something here; others are passed over.
const (
	SettingHeaderTableSize       SettingID = 0x1
	SettingEnablePush            SettingID = 0x2
	SettingMaxConcurrentStreams  SettingID = 0x3
	SettingInitialWindowSize     SettingID = 0x4
	SettingMaxFrameSize          SettingID = 0x5
	SettingMaxHeaderListSize     SettingID = 0x6
	SettingEnableConnectProtocol SettingID = 0x8 // RFC 8441
	SettingNoRFC7540Priorities   SettingID = 0x9 // RFC 9218, 2.1
)

// Settings are what one side of a connection has told the other.
type Settings struct {
	HeaderTableSize   uint32
	MaxStreams        uint32
	InitialWindow     int32
	MaxFrameSize      uint32
	MaxHeaderListSize uint32 // advice only
	ConnectProtocol   bool
}

// DefaultSettings hold until the first SETTINGS frame (RFC 9113, 6.5.2).
func DefaultSettings() Settings {
	return Settings{
		HeaderTableSize: 4096, MaxStreams: 1<<32 - 1, InitialWindow: 65535, MaxFrameSize: DefaultFrameSize,
		MaxHeaderListSize: 1<<32 - 1,
	}
}

// Setting is one parameter of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(dst []byte, list ...Setting) []byte {
	dst = AppendFrameHead(dst, FrameHead{Length: 6 * len(list), Type: FrameSettings})
	for _, s := range list {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the answer to a SETTINGS frame.
func AppendSettingsAck(dst []byte) []byte {
	return AppendFrameHead(dst, FrameHead{Type: FrameSettings, Flags: FlagAck})
}

// Apply takes in the payload of a SETTINGS frame that is no acknowledgement.
// Every error ends the connection.
func (s *Settings) Apply(p []byte) error {
	if len(p)%6 != 0 {
		return connError(FrameSizeError, "SETTINGS frame with an incomplete setting")
	}
	for ; len(p) > 0; p = p[6:] {
		set := Setting{SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])}
		if err := s.set(set); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) set(set Setting) error {
	v := set.Value
	switch set.ID {
	case SettingHeaderTableSize:
		s.HeaderTableSize = v
	case SettingEnablePush:
		if v > 1 {
			return connError(ProtocolError, "invalid SETTINGS_ENABLE_PUSH")
		}
	case SettingMaxConcurrentStreams:
		s.MaxStreams = v
	case SettingInitialWindowSize:
		if v > maxWindow {
			return connError(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE too large")
		}
		s.InitialWindow = int32(v)
	case SettingMaxFrameSize:
		if v < DefaultFrameSize || v > maxFrameSize {
			return connError(ProtocolError, "invalid SETTINGS_MAX_FRAME_SIZE")
		}
		s.MaxFrameSize = v
	case SettingMaxHeaderListSize:
		s.MaxHeaderListSize = v
	case SettingEnableConnectProtocol:
		if v > 1 || v == 0 && s.ConnectProtocol {
			return connError(ProtocolError, "invalid SETTINGS_ENABLE_CONNECT_PROTOCOL")
		}
		s.ConnectProtocol = v == 1
	case SettingNoRFC7540Priorities:
		if v > 1 {
			return connError(ProtocolError, "invalid SETTINGS_NO_RFC7540_PRIORITIES")
		}
	}
	return nil
}

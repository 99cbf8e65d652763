-- Plays the session from its start and records the plugin's MIDI.
local backend = AudioEngine:set_backend("None (Dummy)", "", "")
backend:set_driver("Normal Speed")
backend:set_device_name("Silence")
backend:set_buffer_size(1024)
backend:set_sample_rate(48000)
local s = load_session("@FOLDER@", "@NAME@")
assert(s, "the session cannot be loaded")
local rec
for route in s:get_routes():iter() do
  if route:name() == "midirec" then rec = route:to_track() end
  if route:name() == "drums" then print("latency in frames", route:signal_latency()) end
end
rec:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
s:maybe_enable_record(true)
s:goto_start(false)
sleep(3)
s:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
sleep(@SECONDS@)
s:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
sleep(2)
s:save_state("")
close_session()
print("done")

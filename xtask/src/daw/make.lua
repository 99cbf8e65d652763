-- Makes a session: a track with the plugin, whose MIDI goes to another track.
local backend = AudioEngine:set_backend("None (Dummy)", "", "")
backend:set_driver("Normal Speed")
backend:set_device_name("Silence")
backend:set_buffer_size(1024)
backend:set_sample_rate(48000)
local s = create_session("@FOLDER@", "@NAME@", 48000)
local none = ARDOUR.PluginInfo()
local last = ARDOUR.PresentationInfo.max_order
local normal = ARDOUR.TrackMode.Normal
local drums = s:new_audio_track(2, 2, nil, 1, "drums", last, normal, true, true):front()
local one_midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local rec = s:new_midi_track(one_midi, one_midi, true, none, nil, nil, 1, "midirec", last, normal, true, true):front()
local proc
for _ = 1, 10 do -- the list of plugins may still be read
  proc = ARDOUR.LuaAPI.new_plugin(s, "Hitscribe", ARDOUR.PluginType.VST3, "")
  if not proc:isnil() then break end
  sleep(1)
end
assert(not proc:isnil(), "Ardour does not find the plugin")
drums:add_processor_by_index(proc, 0, nil, true)
sleep(3)
rec:input():midi(0):disconnect_all()
assert(drums:output():midi(0):connect(rec:input():midi(0):name()) == 0, "no way for the MIDI")
s:save_state("")
close_session()
print("done")

-- Exports the session faster than real time. The track with the plugin carries, in place of its
-- sound, a pulse for each note-on that leaves the plugin.
local backend = AudioEngine:set_backend("None (Dummy)", "", "")
backend:set_driver("Normal Speed")
backend:set_device_name("Silence")
backend:set_buffer_size(1024)
backend:set_sample_rate(48000)
local s = load_session("@FOLDER@", "@NAME@")
assert(s, "the session cannot be loaded")
local pulses = ARDOUR.LuaAPI.new_luaproc(s, "Hitscribe pulses")
assert(not pulses:isnil(), "Ardour does not find the script that makes pulses")
for route in s:get_routes():iter() do
  if route:name() == "drums" then
    assert(route:add_processor_by_index(pulses, 1, nil, true) == 0, "no place for the pulses")
  end
end
sleep(3)
local export = s:simple_export()
export:set_name("bounce")
export:set_folder("@FOLDER@")
export:set_preset("75969a1c-3133-4694-864b-a1fa50e43348") -- WAV at the rate of the session
export:set_range(0, math.floor(@SECONDS@ * 48000))
local began = os.time()
assert(export:run_export(), "the export has failed")
print("exported @SECONDS@ seconds in", os.time() - began)
close_session()
print("done")

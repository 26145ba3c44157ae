-- The files this build has to list; all there are in a full refresh of the marts, which never asks for this.
select distinct file_id
from {{ ref('stg_intake__touched') }}
where is_claimed and file_id is not null

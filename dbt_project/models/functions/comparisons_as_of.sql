{{ config(arguments = ['authority_id text', 'period_id text', 'as_of timestamptz']) }}

with

{{ figures_as_of('compared') }}

select * from comparisons
